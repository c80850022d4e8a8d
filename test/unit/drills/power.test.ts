import assert from "node:assert/strict";
import type { KnownMachine } from "../../../commands/status/stack-state";
import type { Cluster } from "../../../drills/cluster";
import { powerObstacle, powerOf, providerObstacle } from "../../../drills/machine/power";

const host = { name: "host-1", role: "server", access: { name: "host-1", address: "192.0.2.1" } } as KnownMachine;

/** A cluster of one machine, whose shell answers what it is asked, and records the rest. */
function clusterOf(mayReset: boolean, drilledFrom = "192.0.2.9"): { cluster: Cluster; ran: string[] } {
    const ran: string[] = [];
    const run = (command: string) => {
        if (command.includes("detect-virt")) return Promise.resolve({ exitCode: mayReset ? 0 : 1 });
        if (command.includes("SSH_CONNECTION"))
            return Promise.resolve({ stdout: `${drilledFrom} 50000 192.0.2.1 22\n` });
        ran.push(command);
        if (command.includes("uptime")) return Promise.resolve({ stdout: "12.50\n" });
        if (command.includes("boot_id")) return Promise.resolve({ stdout: "boot-1\n" });
        // The machine is gone: so is its connection.
        return Promise.reject(new Error("connection lost"));
    };
    const cluster = { state: { machines: [host] }, shell: () => ({ machine: host.access, run }) };
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

    it("is none over the host that the drill itself runs on", async () => {
        for (const from of ["192.0.2.1", "127.0.0.1", "::ffff:192.0.2.1"]) {
            assert.match((await powerObstacle(clusterOf(true, from).cluster)) ?? "", /the drill runs on host-1/);
        }
    });

    it("tells since when it runs again, and says nothing of a machine that the stack starts", async () => {
        assert.equal(await powerOf(clusterOf(true).cluster, host).upFor?.(), 12.5);
        assert.equal(powerOf(clusterOf(true).cluster, { ...host, container: "c-1" }).upFor, undefined);
    });

    it("ends where its provider would have to act", async () => {
        assert.match(providerObstacle([host]) ?? "", /nothing here can pause or delete host-1/);
        await assert.rejects(powerOf(clusterOf(true).cluster, host).pause(), /pause/);
    });
});
