import assert from "node:assert/strict";
import { Cluster } from "../../drills/cluster";
import { keepEvidence } from "../../drills/evidence";
import type { Fault } from "../../drills/faults/fault";
import { summarise } from "../../drills/judgement";
import { runRound, type RoundOptions, type RoundResult } from "../../drills/round";

/** What has not begun by then is skipped, so that the run ends and says what it did not do. */
const deadline = Number(process.env["TEST_DEADLINE"] ?? Infinity);

/** For `before`: skips a file whose turn comes too late. */
export function skipWhenLate(this: Mocha.Context): void {
    if (Date.now() > deadline) {
        console.log("skipped: the time of this run is over (TEST_MINUTES)");
        this.skip();
    }
}

/** The running stack, for one test file. `cleanUp` takes back what the file did to it, where it was not skipped. */
export function useCluster(cleanUp?: (cluster: Cluster) => Promise<void>): () => Cluster {
    let cluster: Cluster | undefined;
    before(skipWhenLate);
    before(async function () {
        this.timeout(630_000);
        cluster = await Cluster.open();
        await cluster.waitUntilRedundant();
    });
    after(async function () {
        this.timeout(900_000);
        if (cluster !== undefined) {
            await cleanUp?.(cluster);
        }
    });
    // A test that failed halfway must not leave its broken stack to the next file.
    after(async function () {
        this.timeout(900_000);
        const failed = this.test?.parent?.tests.some(({ state }) => state === "failed") ?? false;
        if (cluster !== undefined && failed) {
            await cluster.update();
            await cluster.waitUntilRedundant();
        }
        cluster?.close();
    });
    return () => {
        assert.ok(cluster !== undefined, "the stack was not opened");
        return cluster;
    };
}

export function measured(what: string, seconds: number): void {
    console.log(`measured: ${what} ${seconds.toFixed(2)} s`);
}

/**
 * A fault under ten writers, with everything that must hold after any fault, in every round. Bars are for the 95th
 * percentile: one late round says nothing, but where they hold a second of the next two is late in one run of 205.
 */
export async function surviveFault(cluster: Cluster, fault: Fault, options: RoundOptions = {}): Promise<RoundResult> {
    const late: string[] = [];
    for (let round = 1; ; round += 1) {
        const { result, reasons } = await surviveOnce(cluster, fault, options);
        late.push(...reasons);
        assert.ok(late.length < 2, `late twice: ${late.join("; ")}`);
        if (late.length === 0 || round === 3) return result;
        console.log(`one of three may be late: ${late.join("; ")}`);
    }
}

/** One round, and why it was late. */
async function surviveOnce(
    cluster: Cluster,
    fault: Fault,
    options: RoundOptions,
): Promise<{ result: RoundResult; reasons: string[] }> {
    const result = await runRound(cluster, fault, { writers: 10, ...options });
    measured(`${fault.name} of ${result.target}: outage`, result.outageSeconds);
    measured(`${fault.name}: worst client`, result.worstClientSeconds);
    measured(`${fault.name}: pause while healing`, result.pauseWhileHealingSeconds);
    measured(`${fault.name}: three members and a synchronous standby again after`, result.redundancySeconds);
    const { acknowledged, failed, unknown, lost } = result;
    console.log(`operations: ${acknowledged} acknowledged, ${lost} of them lost, ${failed} failed, ${unknown} unknown`);
    const { verdict, reasons } = summarise(fault, [result], await cluster.timers());
    if (verdict === "broken") {
        const folder = `reports/tests/${fault.name}-${result.begun.replaceAll(":", "")}`;
        console.log(`logs of every machine: ${await keepEvidence(cluster, folder, new Date(result.begun))}`);
    }
    assert.notEqual(verdict, "broken", reasons.join("; "));
    if (verdict === "not judged") {
        // The bar in seconds holds for two whole cores; where the hypervisor gives them to others it is said.
        console.log(`not judged: ${reasons.join("; ")}`);
    }
    measured(`${fault.name}: every layer whole again after further`, await cluster.waitUntilRedundant());
    return { result, reasons: verdict === "late" ? [reasons.join("; ")] : [] };
}
