import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Runner } from "../../drills/backup/runner";
import { checkout } from "../../offline/checkout";
import { useCluster } from "./support";

const pages = ["clone", "full-wal-volume", "lost-passphrase", "restore-in-place", "total-loss"];

/** Every command of a page, in code blocks and in the text, as it stands there. */
function commandsOf(page: string): string[] {
    const text = readFileSync(join(checkout, "docs", "runbooks", `${page}.md`), "utf8").replaceAll(/\\\n\s*/g, "");
    const blocks = [...text.matchAll(/^\s*```\n([^`]*)^\s*```/gm)].flatMap(([, block]) => (block ?? "").split("\n"));
    const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? "");
    return [...blocks, ...spans]
        .map((line) => line.trim())
        .filter((line) => /^(make|pulumi|kubectl) [a-z-]/.test(line));
}

/** That they do what the page says is for the tests of loss and restore; here that a person can type them. */
describe("the commands of the backup runbooks", () => {
    const cluster = useCluster();
    const commands = [...new Set(pages.flatMap(commandsOf))];
    const setsSecret = (command: string) => command.startsWith("pulumi config set --secret ");
    const settings = () => join(checkout, `Pulumi.${cluster().state.stack}.yaml`);
    const folder = mkdtempSync(join(tmpdir(), "postgres-ha-runbooks-"));
    let settingsBefore: string;

    before(() => {
        const server = cluster().state.machines.find(({ role }) => role === "server")?.container ?? "";
        const kubectl = `#!/bin/sh\nexec docker exec -i ${server} k3s kubectl "$@"\n`;
        writeFileSync(join(folder, "kubectl"), kubectl, { mode: 0o755 });
    });
    beforeEach(() => (settingsBefore = readFileSync(settings(), "utf8")));
    afterEach(() => writeFileSync(settings(), settingsBefore));
    after(() => rmSync(folder, { recursive: true, force: true }));

    /** As in the shell of `make env`, with kubectl as docs/runbooks/README.md has it for dev. */
    function run(command: string, input = ""): { status: number | null; output: string } {
        const { environment } = cluster().workspace;
        const { status, stdout, stderr } = spawnSync("bash", ["-c", command], {
            cwd: checkout,
            env: {
                ...environment,
                PATH: [folder, environment["PATH"]].join(delimiter),
                // A person would answer yes.
                PULUMI_SKIP_CONFIRMATIONS: "true",
            },
            encoding: "utf8",
            input,
            timeout: 600_000,
            maxBuffer: 2 ** 26,
        });
        return { status, output: `${stdout}${stderr}` };
    }

    for (const command of commands.filter((command) => !setsSecret(command))) {
        it(command, async function () {
            this.timeout(700_000);
            await new Runner(cluster()).idle();
            let { status, output } = run(command);
            // On a starved host an answer may come later than the status waits for it.
            for (let attempt = 0; command === "make status" && status !== 0 && attempt < 4; attempt += 1) {
                ({ status, output } = run(command));
            }
            assert.equal(status, 0, output);
        });
    }

    it("a copy of the passphrase takes the place of the generated one and changes nothing else", function () {
        this.timeout(300_000);
        const { backup } = cluster().state.outputs;
        for (const command of commands.filter(setsSecret)) {
            const { status, output } = run(command, backup?.passphrase);
            assert.equal(status, 0, output);
        }
        const { status, output } = run("pulumi preview");
        assert.equal(status, 0, output);
        assert.match(output, /- 1 to delete/);
        assert.doesNotMatch(output, /to (create|update|replace)/);
    });

    it("another passphrase than the repository's is refused before it is written anywhere", function () {
        this.timeout(300_000);
        const secret = () => run("kubectl -n postgres get secret postgres-pgbackrest -o jsonpath={.data}").output;
        const before = secret();
        for (const command of commands.filter(setsSecret)) {
            assert.equal(run(command, "another-passphrase-of-enough-letters").status, 0);
        }
        const { status, output } = run("pulumi up --skip-preview --yes");
        assert.notEqual(status, 0);
        assert.match(output, /encrypted with another passphrase.*Nothing was changed/s);
        assert.equal(secret(), before);
    });
});
