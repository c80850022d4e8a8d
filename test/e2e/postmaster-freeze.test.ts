import assert from "node:assert/strict";
import type { Fault } from "../../drills/faults/fault";
import { postmasterFreeze } from "../../drills/faults/freeze";
import { process } from "../../drills/machine/processes";
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
            const pid = await process(ssh, "postmaster");
            const prepared = await postmasterFreeze.prepare(stack);
            const untilGone = `for _ in $(seq 300); do kill -0 ${pid} 2>/dev/null || exit 0; sleep 0.1; done; exit 1`;
            return {
                ...prepared,
                async inject() {
                    const begin = Date.now();
                    await prepared.inject();
                    const { exitCode } = await ssh.run(untilGone, { allowFailure: true });
                    const seconds = (Date.now() - begin) / 1000;
                    measured("postmaster-freeze: ended by the fence after", seconds);
                    assert.ok(exitCode === 0 && seconds < fenceSeconds, `not ended within ${fenceSeconds} s`);
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
