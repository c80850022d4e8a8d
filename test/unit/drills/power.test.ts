import assert from "node:assert/strict";
import type { KnownMachine } from "../../../commands/status/stack-state";
import type { Cluster } from "../../../drills/cluster";
import { powerObstacle, powerOf, providerObstacle } from "../../../drills/machine/power";

const host = { name: "host-1", role: "server", access: { name: "host-1" } } as KnownMachine;

/** A cluster of one machine, whose shell answers the question whether it may be reset, and records the rest. */
function clusterOf(mayReset: boolean): { cluster: Cluster; ran: string[] } {
    const ran: string[] = [];
    const run = (command: string) => {
        if (command.includes("detect-virt")) return Promise.resolve({ exitCode: mayReset ? 0 : 1 });
        ran.push(command);
        if (command.includes("boot_id")) return Promise.resolve({ stdout: "boot-1\n" });
        // The machine is gone: so is its connection.
        return Promise.reject(new Error("connection lost"));
    };
    const cluster = { state: { machines: [host] }, tunnel: { ssh: () => Promise.resolve({ run }) } };
    return { cluster: cluster as unknown as Cluster, ran };
}

describe("the power over a host that the stack did not make", () => {
    it("is a reset from within, which ends the connection", async () => {
        const { cluster, ran } = clusterOf(true);
        assert.equal(await powerObstacle(cluster), undefined);
        await powerOf(cluster, host).off();
        assert.match(ran.at(-1) ?? "", /echo b > \/proc\/sysrq-trigger/);
    });

    it("was not used where it runs in the same boot as before", async () => {
        const power = powerOf(clusterOf(true).cluster, host);
        assert.equal(await power.notOff(), undefined);
        await power.off();
        assert.match((await power.notOff()) ?? "", /host-1 was not reset/);
    });

    it("is none inside a container: the request would reach the kernel of its host", async () => {
        const { cluster, ran } = clusterOf(false);
        assert.match((await powerObstacle(cluster)) ?? "", /host-1 is a container/);
        await assert.rejects(powerOf(cluster, host).off(), /host-1 is a container/);
        assert.deepEqual(ran, []);
    });

    it("ends where its provider would have to act", async () => {
        assert.match(providerObstacle(host) ?? "", /nothing here can pause or delete host-1/);
        await assert.rejects(powerOf(clusterOf(true).cluster, host).pause(), /pause/);
    });
});
