import { barSeconds, type EffectiveTimers } from "./bars";
import type { Fault } from "./faults/fault";
import { starvedFrom } from "./host-steal";
import { delayedFrom } from "./own-delay";
import type { RoundResult } from "./round";
import { spread, type Spread } from "./statistics";

/** What is wrong with a round, whatever the clock says. */
export function brokenPromises(fault: Fault, result: RoundResult): string[] {
    const { violations, twoPrimaries, stuck, promotions, primary, acknowledged, sampled } = result;
    const reasons: string[] = [];
    const kinds = [...new Set(violations.map(({ kind }) => kind))];
    for (const kind of kinds) {
        const found = violations.filter((violation) => violation.kind === kind);
        reasons.push(`${found.length} x ${kind}, first: ${found[0]?.detail}`);
    }
    if (twoPrimaries.length > 0) {
        reasons.push(`two primaries at ${twoPrimaries.length} moments, first: ${twoPrimaries[0]?.why}`);
    }
    if (stuck !== undefined) {
        reasons.push(`needs a person: ${stuck}`);
    }
    if (fault.failover === "forbidden" && promotions > 0) {
        reasons.push(`${promotions} promotions without need, from ${primary.before} to ${primary.after}`);
    }
    if (fault.failover === "expected" && promotions === 0) {
        reasons.push("nobody was promoted: the fault did not bite");
    }
    if (acknowledged < 100) {
        reasons.push(`only ${acknowledged} operations were acknowledged: the load proves nothing`);
    }
    for (const [instance, answers] of Object.entries(sampled)) {
        if (answers < 5) {
            reasons.push(`${instance} was sampled ${answers} times: nothing is known of a second primary`);
        }
    }
    return reasons;
}

export interface FaultSummary {
    fault: string;
    imitates: string;
    rounds: number;
    outage: Spread;
    worstClient: Spread;
    redundancy: Spread;
    pauseWhileHealing: Spread;
    barSeconds: number;
    acknowledged: number;
    lost: number;
    anomalies: number;
    twoPrimaries: number;
    promotions: number;
    /** Largest share of CPU time that the host was denied in a round. */
    stolenShare: number;
    /** Seconds that the drill itself was kept from running, at the 99th percentile of the worst round. */
    ownDelaySeconds: number;
    verdict: "kept" | "broken" | "late" | "not judged";
    reasons: string[];
}

/** All rounds of a fault: the promise in each, the bar at the 95th percentile. */
export function summarise(fault: Fault, results: RoundResult[], timers: EffectiveTimers): FaultSummary {
    const of = (value: (result: RoundResult) => number): Spread => spread(results.map(value));
    const sum = (value: (result: RoundResult) => number): number =>
        results.reduce((total, result) => total + value(result), 0);
    const outage = of(({ outageSeconds, pauseWhileHealingSeconds }) =>
        Math.max(outageSeconds, pauseWhileHealingSeconds),
    );
    const bar = barSeconds(fault.bar, timers, fault.holdSeconds);
    const stolenShare = Math.max(...results.map((result) => result.stolenShare));
    const broken = results.flatMap((result, index) =>
        brokenPromises(fault, result).map((reason) => `round ${index + 1}: ${reason}`),
    );
    const late = outage.p95 > bar;
    const took = `the outage took ${outage.p95.toFixed(2)} s at the 95th percentile, ${bar} s are accepted`;
    const ownDelaySeconds = Math.max(...results.map((result) => result.ownDelaySeconds));
    const starved = late && (stolenShare >= starvedFrom || ownDelaySeconds >= delayedFrom);
    const denied =
        `, but this host was denied ${(100 * stolenShare).toFixed(0)} % of its CPU time, and the drill itself waited ` +
        `up to ${ownDelaySeconds.toFixed(2)} s for a processor`;
    return {
        fault: fault.name,
        imitates: fault.imitates,
        rounds: results.length,
        outage: of(({ outageSeconds }) => outageSeconds),
        worstClient: of(({ worstClientSeconds }) => worstClientSeconds),
        redundancy: of(({ redundancySeconds }) => redundancySeconds),
        pauseWhileHealing: of(({ pauseWhileHealingSeconds }) => pauseWhileHealingSeconds),
        barSeconds: bar,
        acknowledged: sum(({ acknowledged }) => acknowledged),
        lost: sum(({ lost }) => lost),
        anomalies: sum(({ violations }) => violations.length),
        twoPrimaries: sum(({ twoPrimaries }) => twoPrimaries.length),
        promotions: sum(({ promotions }) => promotions),
        stolenShare,
        ownDelaySeconds,
        verdict: broken.length > 0 ? "broken" : starved ? "not judged" : late ? "late" : "kept",
        reasons: [...broken, ...(late ? [took + (starved ? denied : "")] : [])],
    };
}
