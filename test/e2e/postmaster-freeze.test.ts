import assert from "node:assert/strict";
import type { Fault } from "../../drills/faults/fault";
import { postmasterFreeze } from "../../drills/faults/freeze";
import { readCpuTicks, starvedFrom, stolenShare } from "../../drills/host-steal";
import { processOf } from "../../drills/machine/processes";
import { measured, surviveFault, useCluster } from "./support";

/** Longest time until the fence has ended a hanging instance: its limit, six probes of the kubelet, the kill. */
const fenceSeconds = 14;

describe("a postmaster of the primary that hangs", () => {
    const cluster = useCluster();

    /** Patroni never notices: its own session goes on, and so do those of clients that are connected. */
    const untilTheFenceEndsIt: Fault = {
        ...postmasterFreeze,
        async prepare(stack) {
            const { ssh } = await stack.primaryMachine();
            const pid = await processOf(ssh, "postmaster");
            const prepared = await postmasterFreeze.prepare(stack);
            const untilGone = `for _ in $(seq 300); do kill -0 ${pid} 2>/dev/null || exit 0; sleep 0.1; done; exit 1`;
            return {
                ...prepared,
                async inject() {
                    const begin = Date.now();
                    const ticks = readCpuTicks();
                    await prepared.inject();
                    const { exitCode } = await ssh.run(untilGone, { allowFailure: true });
                    const seconds = (Date.now() - begin) / 1000;
                    const stolen = stolenShare(ticks, readCpuTicks());
                    measured("postmaster-freeze: ended by the fence after", seconds);
                    assert.equal(exitCode, 0, "not ended within 30 s");
                    assert.ok(
                        seconds < fenceSeconds || stolen >= starvedFrom,
                        `not ended within ${fenceSeconds} s: ${seconds} s, ${Math.round(stolen * 100)} % of the CPU time stolen`,
                    );
                },
            };
        },
    };

    it("is ended by the fence, another instance takes over, and nothing is lost", async function () {
        this.timeout(420_000);
        const before = await cluster().primary();
        await surviveFault(cluster(), untilTheFenceEndsIt);
        assert.notEqual((await cluster().primary()).name, before.name, "the primary is the same as before");
    });
});
