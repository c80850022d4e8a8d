import assert from "node:assert/strict";
import type { Fault } from "../../drills/faults/fault";
import { paths } from "../../components/patroni/config";
import { measured, surviveFault, useCluster } from "./support";

/** The bracket keeps the pattern from matching the command that looks for it. */
const postmaster = `[p]ostgres -D ${paths.data}`;

/** Longest time until the fence has ended a hanging instance: its limit, six probes of the kubelet, the kill. */
const fenceSeconds = 14;

describe("a postmaster of the primary that hangs", () => {
    const cluster = useCluster();

    /** Patroni never notices: its own session goes on, and so do those of clients that are connected. */
    const postmasterFreeze: Fault = {
        name: "postmaster-freeze",
        imitates: "PostgreSQL of the primary takes no new connections any more, without dying",
        bar: "frozen",
        failover: "expected",
        async prepare(stack) {
            const { name, machine } = await stack.primary();
            const ssh = await stack.tunnel.ssh(machine.access);
            const { stdout } = await ssh.run(`pgrep -o -f '${postmaster}'`);
            const pid = Number(stdout.trim());
            const untilGone = `for _ in $(seq 300); do kill -0 ${pid} 2>/dev/null || exit 0; sleep 0.1; done; exit 1`;
            return {
                target: `${name} on ${machine.name}`,
                async inject() {
                    const begin = Date.now();
                    await ssh.run(`kill -STOP ${pid}`);
                    const { exitCode } = await ssh.run(untilGone, { allowFailure: true });
                    const seconds = (Date.now() - begin) / 1000;
                    measured("postmaster-freeze: ended by the fence after", seconds);
                    assert.ok(exitCode === 0 && seconds < fenceSeconds, `not ended within ${fenceSeconds} s`);
                },
                // Otherwise the next test would find it frozen, if the fence did not work.
                heal: async () => void (await ssh.run(`kill -CONT ${pid}`, { allowFailure: true })),
            };
        },
    };

    it("is ended by the fence, another instance takes over, and nothing is lost", async function () {
        this.timeout(420_000);
        const before = await cluster().primary();
        await surviveFault(cluster(), postmasterFreeze);
        assert.notEqual((await cluster().primary()).name, before.name, "the primary is the same as before");
    });
});
