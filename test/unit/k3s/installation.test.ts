import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isForgotten, lookAt } from "../../../components/k3s/installation";
import { withSsh } from "../../../components/machines/ssh";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";
import { TestMachine } from "../machines/ssh-server";

/** Scripts in place of k3s and systemd on a machine of this process. */
describe("k3s on a machine, looked at", function () {
    this.timeout(60_000);
    const directory = temporaryDirectory();
    const machine = new TestMachine();
    let restore: () => void;
    let installed: boolean;
    const node = () => ({ node: "machine-1", role: "server" as const, access: machine.access(), peers: [] });
    const setUp = (nodes: string[], service = "ActiveState=active NRestarts=0", api = "ok"): void => {
        const items = nodes.map((name) => ({ metadata: { name }, status: {} }));
        writeFileSync(join(directory.path(), "nodes"), JSON.stringify({ items }));
        restore = fakeCommands(directory.path(), {
            k3s: `case "$*" in *readyz*) printf ${api} ;; *"get nodes"*) cat ${directory.path()}/nodes ;; esac`,
            systemctl: `case "$1" in show) echo '${service}' ;; is-enabled) exit 0 ;; esac`,
        });
    };

    before(() => {
        machine.rewrite = (command) => command.replace("test -x /usr/local/bin/k3s", installed ? "true" : "false");
        return machine.start();
    });
    after(() => machine.stop());
    beforeEach(() => {
        installed = true;
        restore = () => undefined;
    });
    afterEach(() => restore());

    it("is there while it is installed and the cluster knows the node", async () => {
        setUp(["machine-1", "machine-2"]);
        assert.deepEqual(await lookAt(node()), { gone: false });
    });

    it("is gone when it was taken off by hand", async () => {
        setUp(["machine-1"]);
        installed = false;
        assert.deepEqual(await lookAt(node()), { gone: true, reason: "k3s is not installed on it any more" });
    });

    it("is gone when the cluster does not know the node", async () => {
        setUp(["machine-2"]);
        assert.deepEqual(await lookAt(node()), { gone: true, reason: "the cluster does not know it any more" });
    });

    it("is not said to be gone when the machine or the API cannot be asked", async () => {
        setUp(["machine-2"], undefined, "no");
        assert.deepEqual(await lookAt(node()), { gone: false });
        const access = { ...machine.access(), ssh: { ...machine.access().ssh, port: 1 } };
        assert.deepEqual(await lookAt({ ...node(), access }), { gone: false });
    });

    it("was forgotten only when it runs, or fails again and again, and never registers", async () => {
        const forgotten = () => withSsh(machine.access(), (ssh) => isForgotten(ssh, machine.access(), node(), 1));
        setUp(["machine-1"]);
        assert.equal(await forgotten(), false);
        restore();
        setUp(["machine-2"], "ActiveState=activating NRestarts=0");
        assert.equal(await forgotten(), false, "still joining");
        restore();
        setUp(["machine-2"]);
        assert.equal(await forgotten(), true);
    });
});
