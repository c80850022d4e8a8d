import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster";
import type { Fault } from "./faults/fault";
import { readCpuTicks, stolenShare } from "./host-steal";
import { Ledger } from "./ledger/ledger";
import { now } from "./ledger/operation";
import { Sampler } from "./ledger/sampler";
import type { Overlap } from "./ledger/two-primaries";
import type { Verdict } from "./ledger/verification";

export interface RoundResult extends Verdict {
    fault: string;
    target: string;
    /** Nobody got an acknowledgement; from the fault until it is healed. */
    outageSeconds: number;
    worstClientSeconds: number;
    /** The longest pause while it was healed: rejoining must not be felt. */
    pauseWhileHealingSeconds: number;
    /** From the fault, or from when healing was begun, until all members and a synchronous standby are back. */
    healSeconds: number;
    twoPrimaries: Overlap[];
    /** Answers the sampler got, per instance. */
    sampled: Record<string, number>;
    /** Share of the host's CPU time that its hypervisor gave to others from the fault on, 0 to 1. */
    stolenShare: number;
}

export interface RoundOptions {
    /** @default 10 */
    writers?: number;
    /** Instead of the fault's own way to heal. */
    heal?: () => Promise<void>;
}

const warmUpMs = 4000;
/** A fault that bites late must have bitten before the outage is called over. */
const settleMs = 8000;
const limitMs = 120_000;

/** One fault under load: writers before, during and after; then what they were told against what is there. */
export async function runRound(cluster: Cluster, fault: Fault, options: RoundOptions = {}): Promise<RoundResult> {
    await cluster.waitUntilHealed();
    const [entry] = cluster.readWrite;
    if (entry === undefined) {
        throw new Error("the connection string names no entry");
    }
    const round = `${fault.name}-${Date.now()}`;
    const ledger = await Ledger.start({ entries: cluster.readWrite, round, writers: options.writers });
    const sampler = new Sampler({ tunnel: cluster.tunnel, instances: cluster.state.instances, entry });
    try {
        await sleep(warmUpMs);
        const prepared = await fault.prepare(cluster);
        const before = readCpuTicks();
        const faultAt = now();
        await prepared.inject();
        await untilEveryClientWrites(ledger, faultAt);
        const stolen = stolenShare(before, readCpuTicks());
        const healAt = now();
        await (options.heal ?? prepared.heal)();
        await cluster.waitUntilHealed(600);
        const healedAt = now();
        await sleep(2000);
        const seen = ledger.outage(faultAt, healAt);
        const whileHealing = ledger.outage(healAt).whole.seconds;
        const twoPrimaries = await sampler.finish();
        const verdict = await ledger.finish();
        const needsHealing = fault.outageBar > 4;
        return {
            ...verdict,
            fault: fault.name,
            target: prepared.target,
            outageSeconds: seen.whole.seconds,
            worstClientSeconds: seen.worstClient.seconds,
            pauseWhileHealingSeconds: whileHealing,
            healSeconds: (healedAt - (needsHealing ? healAt : faultAt)) / 1000,
            twoPrimaries,
            sampled: Object.fromEntries(sampler.answers),
            stolenShare: stolen,
        };
    } finally {
        await Promise.all([ledger.stop(), sampler.finish()]);
    }
}

async function untilEveryClientWrites(ledger: Ledger, faultAt: number): Promise<void> {
    await sleep(settleMs);
    while (!ledger.allAcknowledgedSince(now() - 1000)) {
        if (now() > faultAt + limitMs) {
            return;
        }
        await sleep(100);
    }
}
