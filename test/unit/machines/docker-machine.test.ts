import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { provider, type DockerMachineOutputs } from "../../../components/machines/docker/machine.step";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";

/** A script in place of the docker client. */
describe("a machine that is a container", () => {
    const directory = temporaryDirectory();
    let restore = (): void => undefined;
    afterEach(() => restore());
    const engine = (script: string) => (restore = fakeCommands(directory.path(), { docker: script }));
    const machine = { machine: "machine-1", container: "dev-machine-1", instance: "one" } as DockerMachineOutputs;
    const diff = () => provider.diff("one", machine, machine);
    const read = async () => provider.read?.("one", machine);

    it("is there while the engine lists it, and looked for by its whole name", async () => {
        engine('case "$*" in *"--all --no-trunc --filter name=^dev-machine-1$ "*) echo one ;; esac');
        assert.equal((await diff()).changed, false);
        assert.deepEqual(await read(), machine);
    });

    it("is gone when the engine lists none, or another one of its name", async () => {
        for (const script of ["true", "echo two"]) {
            engine(script);
            assert.deepEqual(await diff(), { changed: true, replaces: ["container"] });
            assert.equal(await read(), undefined);
            restore();
        }
    });

    it("is not said to be gone by an engine that does not answer", async () => {
        engine('echo "Cannot connect to the Docker daemon" >&2; exit 1');
        await assert.rejects(diff(), /Cannot connect to the Docker daemon/);
        await assert.rejects(read(), /Cannot connect to the Docker daemon/);
    });

    it("refuses a container that another stack made, before it changes anything of it", async () => {
        const wanted = {
            ...machine,
            stack: "dev",
            image: "machine:1",
            address: "10.0.0.2",
            authorizedKey: "ssh-ed25519 ours",
        };
        const cases: [string[], RegExp][] = [
            [
                ["machine:1", "dev", "10.0.0.2", "SSH_AUTHORIZED_KEY=ssh-ed25519 theirs"],
                /: it lets another SSH key in\./,
            ],
            [
                ["machine:0", "dev", "10.0.0.3", "SSH_AUTHORIZED_KEY=ssh-ed25519 ours"],
                /image machine:0, .* 10\.0\.0\.3\./,
            ],
            [["machine:1", "", "10.0.0.2", "SSH_AUTHORIZED_KEY=ssh-ed25519 ours"], /labelled as stack ""\./],
        ];
        for (const [lines, problem] of cases) {
            const inspected = lines.map((line) => `echo "${line}"`).join("; ");
            const changes = join(directory.path(), "changes");
            engine(
                `case "$*" in *" ls "*) echo one ;; *" inspect "*) ${inspected} ;; *) echo "$*" >>${changes} ;; esac`,
            );
            await assert.rejects(provider.create(wanted), problem);
            assert.equal(existsSync(changes), false);
            restore();
        }
    });
});
