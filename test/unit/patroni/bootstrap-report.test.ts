import assert from "node:assert/strict";
import type { SshConnection } from "../../../components/machines/ssh";
import { BootstrapWatch } from "../../../components/patroni/bootstrap-report";

const location = { cluster: "orders", namespace: "orders", instances: ["orders-0", "orders-1"] };
const failed = { phase: "failed", message: "nothing was initialised", at: "2026-11-29T09:00:00Z" };

/** Every instance has failed to bootstrap once, and Patroni tells of these members; what is deleted is noted. */
function cluster(members: object[] | undefined): { ssh: SshConnection; deleted: string[] } {
    const deleted: string[] = [];
    const answer = (exitCode: number, value: unknown) =>
        Promise.resolve({ exitCode, stdout: JSON.stringify(value), stderr: "" });
    const run = (command: string) => {
        const name = /delete pod (\S+)/.exec(command)?.[1];
        if (name !== undefined) deleted.push(name);
        if (command.includes("bootstrap.json")) return answer(0, failed);
        return members === undefined ? answer(1, "no answer") : answer(0, { members });
    };
    return { ssh: { run } as unknown as SshConnection, deleted };
}

describe("what an earlier bootstrap said", () => {
    it("has those that failed try again at once where nobody leads", async () => {
        for (const members of [undefined, [{ name: "orders-0", role: "replica", state: "stopped" }]]) {
            const { ssh, deleted } = cluster(members);
            await new BootstrapWatch(ssh, location).begin();
            assert.deepEqual(deleted, location.instances);
        }
    });

    it("costs no pod of a cluster that came up since, and is no failure of this update", async () => {
        const { ssh, deleted } = cluster([{ name: "orders-0", role: "leader", state: "running" }]);
        const watch = new BootstrapWatch(ssh, location);
        await watch.begin();
        assert.deepEqual(deleted, []);
        assert.equal(await watch.look(), undefined);
    });
});
