import assert from "node:assert/strict";
import { Runner } from "../../drills/backup/runner";
import { readCpuTicks, starvedFrom, stolenShare } from "../../drills/host-steal";
import { percentile } from "../../drills/statistics";
import { measured, useCluster } from "./support";

const rounds = 3;

/** What is promised, and what makes the test fail: the promise is missed since backups (docs/measurements.md). */
const [promised, refused] = [20, 26];

describe("pulumi up with nothing to do", () => {
    const cluster = useCluster();

    it(`shows no change, in at most ${refused} s at the median`, async function () {
        this.timeout(600_000);
        // What an earlier test left to mend is not this one's matter.
        await cluster().update();
        await cluster().waitUntilRedundant();
        await new Runner(cluster()).idle();
        const before = readCpuTicks();
        const times: number[] = [];
        for (let round = 0; round < rounds; round += 1) {
            const begin = performance.now();
            await cluster().update("--expect-no-changes");
            times.push((performance.now() - begin) / 1000);
            measured("pulumi up without change", times.at(-1) ?? 0);
        }
        const median = percentile(times, 50);
        const stolen = stolenShare(before, readCpuTicks());
        if (median > promised) {
            console.log(`missed: at most ${promised} s are promised, the median took ${median.toFixed(1)} s`);
        }
        if (median > refused && stolen >= starvedFrom) {
            console.log(`not judged: this host was denied ${(100 * stolen).toFixed(0)} % of its CPU time`);
            return;
        }
        assert.ok(median <= refused, `${median.toFixed(1)} s`);
    });
});
