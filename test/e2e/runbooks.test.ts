import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Runner } from "../../drills/backup/runner";
import { checkout } from "../../offline/checkout";
import { commandsOf, useRunbookShell } from "./runbook";
import { useCluster } from "./support";

const pages = ["clone", "full-wal-volume", "lost-passphrase", "restore-in-place", "total-loss"];

/** That they do what the page says is for the tests of loss and restore; here that a person can type them. */
describe("the commands of the backup runbooks", () => {
    const cluster = useCluster();
    const shell = useRunbookShell(cluster);
    const commands = [...new Set(pages.flatMap(commandsOf))];
    const setsSecret = (command: string) => command.startsWith("pulumi config set --secret ");
    const settings = () => join(checkout, `Pulumi.${cluster().state.stack}.yaml`);
    let settingsBefore: string;
    beforeEach(() => (settingsBefore = readFileSync(settings(), "utf8")));
    afterEach(() => writeFileSync(settings(), settingsBefore));

    const run = (command: string, input = "") => shell().run(command, { input });

    for (const command of commands.filter((command) => !setsSecret(command))) {
        it(command, async function () {
            this.timeout(700_000);
            await new Runner(cluster()).idle();
            let { status, output } = await run(command);
            // On a starved host an answer may come later than the status waits for it, and so may a backup's end.
            for (const end = Date.now() + 120_000; command === "make status" && status !== 0 && Date.now() < end;) {
                ({ status, output } = await run(command));
            }
            assert.equal(status, 0, output);
        });
    }

    it("a copy of the passphrase takes the place of the generated one, which stays in the state, and changes nothing", async function () {
        this.timeout(300_000);
        const { backup } = cluster().state.outputs;
        for (const command of commands.filter(setsSecret)) {
            const { status, output } = await run(command, backup?.passphrase);
            assert.equal(status, 0, output);
        }
        const { status, output } = await run("pulumi preview");
        assert.equal(status, 0, output);
        assert.match(output, /unchanged/);
        assert.doesNotMatch(output, /to (create|update|replace|delete)/);
    });

    it("another passphrase than the repository's is refused before it is written anywhere", async function () {
        this.timeout(300_000);
        const secret = () =>
            run("kubectl -n postgres get secret postgres-pgbackrest -o jsonpath={.data}").then(({ output }) => output);
        const before = await secret();
        for (const command of commands.filter(setsSecret)) {
            assert.equal((await run(command, "another-passphrase-of-enough-letters")).status, 0);
        }
        const { status, output } = await run("pulumi up --skip-preview --yes");
        assert.notEqual(status, 0);
        assert.match(output, /encrypted with another passphrase.*Nothing was changed/s);
        assert.equal(await secret(), before);
    });
});
