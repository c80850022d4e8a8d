import { barSeconds, clientBarSeconds, type EffectiveTimers } from "./bars";
import type { Fault } from "./faults/fault";
import { describeOverlap } from "./ledger/two-primaries";
import { starvedFrom } from "./host-steal";
import { delayedFrom } from "./own-delay";
import { nobody, type Disturbance, type RoundResult } from "./round";
import { spread, type Spread } from "./statistics";

/** Fewer prove nothing: four readers ask several times a second each, and instances are sampled five times a second. */
const fewestReads = 10;
const fewestSamples = 5;

/** Whoever cannot write for so long calls somebody, whatever the share of rounds in which it happens. */
const longestSeconds = 120;

/** What is wrong with a round, however many others went well. */
export function brokenPromises(fault: Fault, result: RoundResult): string[] {
    const { violations, twoPrimaries, stuck, gaveUp, notBitten, promotions, primary, acknowledged, timelines } = result;
    const { ledToStandby = 0 } = result;
    const reasons: string[] = [];
    const kinds = [...new Set(violations.map(({ kind }) => kind))];
    for (const kind of kinds) {
        const found = violations.filter((violation) => violation.kind === kind);
        reasons.push(`${found.length} x ${kind}, first: ${found[0]?.detail}`);
    }
    const [overlap] = twoPrimaries;
    if (overlap !== undefined) {
        reasons.push(`two primaries at ${twoPrimaries.length} moments, first: ${describeOverlap(overlap)}`);
    }
    if (stuck !== undefined) {
        reasons.push(`needs a person: ${stuck}`);
    }
    if (gaveUp !== undefined) {
        reasons.push(gaveUp);
    }
    const longest = Math.max(outageOf(result), result.worstClientSeconds) - ownStart(fault, result);
    if (longest > longestSeconds) {
        reasons.push(`a client could not write for ${longest.toFixed(0)} s`);
    }
    if (primary.after === nobody) {
        reasons.push("no instance is primary at the end");
    }
    if (notBitten !== undefined) {
        reasons.push(`the fault did not bite: ${notBitten}`);
    }
    const most = mostPromotions(fault);
    // Without timelines the drill's own switchovers are counted, too.
    if (promotions > most && (most === 0 || timelines !== undefined)) {
        const way = `from ${primary.before} to ${primary.after}`;
        reasons.push(`${promotions - most} promotions without need, ${way}: ${most} at most belong to the fault`);
    }
    // With a failover a proxy may not know yet, for a moment, who is primary.
    if (most === 0 && ledToStandby > 0) {
        reasons.push(`the read-write entry led to a standby ${ledToStandby} times, and nobody was to be promoted`);
    }
    const fewest = fault.promotions ?? (fault.failover === "expected" ? 1 : 0);
    if (promotions < fewest) {
        reasons.push(`${promotions} of ${fewest} promotions: the fault did not bite`);
    }
    if (acknowledged < 100) {
        reasons.push(`only ${acknowledged} operations were acknowledged: the load proves nothing`);
    }
    return [...reasons, ...unseen(result)];
}

const mostPromotions = ({ failover, promotions = 1 }: Fault): number => (failover === "forbidden" ? 0 : promotions);

/** What nothing is known of, for want of answers since the fault. */
function unseen({ reads, readsPerEntry = {}, sampled }: RoundResult): string[] {
    const reasons: string[] = [];
    for (const [entry, count] of Object.entries(readsPerEntry)) {
        if (count === 0) reasons.push(`nothing was read through ${entry}: nothing is known of what it shows`);
    }
    for (const [from, count] of Object.entries(reads)) {
        if (count < fewestReads) {
            reasons.push(`only ${count} reads on the ${from}: nothing is known of what it shows`);
        }
    }
    if (Object.keys(sampled).length === 0) {
        reasons.push("no instance was sampled: nothing is known of a second primary");
    }
    for (const [instance, answers] of Object.entries(sampled)) {
        if (answers < fewestSamples) {
            reasons.push(`${instance} was sampled ${answers} times: nothing is known of a second primary`);
        }
    }
    return reasons;
}

export interface FaultSummary {
    fault: string;
    imitates: string;
    rounds: number;
    /** Of those, the ones in which everything was looked at that is looked at today. */
    fullyJudged: number;
    /** Until it is healed, or the longest pause after that. */
    outage: Spread;
    worstClient: Spread;
    /** Undefined where it ends by itself while it is held: nobody looked when. */
    redundancy: Spread | undefined;
    barSeconds: number;
    acknowledged: number;
    lost: number;
    anomalies: number;
    twoPrimaries: number;
    promotions: number;
    /** Largest share of CPU time that the host was denied in a round. */
    stolenShare: number;
    /** Seconds that the drill itself was kept from running in the longest pause of a round. */
    ownDelaySeconds: number;
    verdict: "kept" | "broken" | "late" | "not judged";
    reasons: string[];
}

/** A time of a round that is held against a bar. */
interface Limit {
    what: string;
    /** Undefined where nothing is promised. */
    bar: number | undefined;
    of: (result: RoundResult) => number;
    /** What disturbed the drill in the time that is measured. */
    disturbance: (result: RoundResult) => Disturbance;
}

/** The time in which nothing ran at all is the hosts' own. */
const ownStart = (fault: Fault, { bootSeconds = 0 }: RoundResult): number =>
    fault.bar === "restart" ? Math.max(0, bootSeconds - (fault.holdSeconds ?? 0)) : 0;

const outageOf = ({ outageSeconds, pauseWhileHealingSeconds }: RoundResult): number =>
    Math.max(outageSeconds, pauseWhileHealingSeconds);

function limitsOf(fault: Fault, timers: EffectiveTimers): Limit[] {
    return [
        {
            what: "the outage took",
            bar: barSeconds(fault.bar, timers),
            of: (result) => outageOf(result) - ownStart(fault, result),
            disturbance: ({ stolenShare, ownDelaySeconds }) => ({ stolenShare, ownDelaySeconds }),
        },
        {
            what: "a client waited",
            bar: clientBarSeconds(fault.bar, timers),
            of: (result) => result.worstClientSeconds - ownStart(fault, result),
            disturbance: (result) => result.worstClientDisturbance ?? result,
        },
        {
            what: "until redundant it took",
            bar: fault.redundantWithin,
            of: ({ redundancySeconds }) => redundancySeconds,
            disturbance: ({ stolenWhileHealing, ownDelayWhileHealing = 0 }) => ({
                stolenShare: stolenWhileHealing,
                ownDelaySeconds: ownDelayWhileHealing,
            }),
        },
    ];
}

/**
 * Rounds on a host that got too little CPU time excuse only themselves, and only what that explains: in the share of the time
 * that the host got, or while the drill could look, the bar must have been kept. Not both: the drill waits on the same host.
 */
function lateness(limit: Limit, results: RoundResult[]): { reason: string; excused: boolean } | undefined {
    const { what, bar, of, disturbance } = limit;
    const p95 = (some: RoundResult[]): number => spread(some.map(of)).p95;
    const reason = `${what} ${p95(results).toFixed(2)} s at the 95th percentile, ${bar} s are accepted`;
    if (bar === undefined || p95(results) <= bar) {
        return undefined;
    }
    const isExcused = (result: RoundResult): boolean => {
        const { stolenShare, ownDelaySeconds } = disturbance(result);
        const isDisturbed = stolenShare >= starvedFrom || ownDelaySeconds >= delayedFrom;
        return isDisturbed && of(result) - Math.max(of(result) * stolenShare, ownDelaySeconds) <= bar;
    };
    const fair = results.filter((result) => !isExcused(result));
    if (fair.length > 0 && p95(fair) > bar) {
        return { reason, excused: false };
    }
    const denied = Math.max(...results.map((result) => disturbance(result).stolenShare));
    const delay = Math.max(...results.map((result) => disturbance(result).ownDelaySeconds));
    const but =
        `, but in ${results.length - fair.length} of ${results.length} rounds this host was denied up to ` +
        `${(100 * denied).toFixed(0)} % of its CPU time, and the drill itself waited up to ${delay.toFixed(2)} s for a processor`;
    return { reason: reason + but, excused: true };
}

/**
 * All rounds of a fault: the promise in each, the bars at the 95th percentile.
 *
 * @param unfinished why rounds of it did not end
 */
export function summarise(
    fault: Fault,
    results: RoundResult[],
    timers: EffectiveTimers,
    unfinished: string[] = [],
): FaultSummary {
    const of = (value: (result: RoundResult) => number): Spread => spread(results.map(value));
    const sum = (value: (result: RoundResult) => number): number =>
        results.reduce((total, result) => total + value(result), 0);
    const broken = [
        ...results.flatMap((result, index) =>
            brokenPromises(fault, result).map((reason) => `round ${index + 1}: ${reason}`),
        ),
        ...unfinished.map((message) => `a round did not end: ${message}`),
    ];
    const endsByItself = fault.holdSeconds !== undefined && fault.awayUntilHealed !== true;
    const late = limitsOf(fault, timers).flatMap((limit) => lateness(limit, results) ?? []);
    const missed = late.length === 0 ? "kept" : late.some(({ excused }) => !excused) ? "late" : "not judged";
    return {
        fault: fault.name,
        imitates: fault.imitates,
        rounds: results.length,
        fullyJudged: results.filter(({ ledToStandby }) => ledToStandby !== undefined).length,
        outage: of(outageOf),
        worstClient: of(({ worstClientSeconds }) => worstClientSeconds),
        redundancy: endsByItself ? undefined : of(({ redundancySeconds }) => redundancySeconds),
        barSeconds: barSeconds(fault.bar, timers),
        acknowledged: sum(({ acknowledged }) => acknowledged),
        lost: sum(({ lost }) => lost),
        anomalies: sum(({ violations }) => violations.length),
        twoPrimaries: sum(({ twoPrimaries }) => twoPrimaries.length),
        // Without timelines the drill's own switchovers are counted, too: no more than the fault can have caused.
        promotions: sum(({ promotions, timelines }) =>
            timelines === undefined ? Math.min(promotions, mostPromotions(fault)) : promotions,
        ),
        stolenShare: Math.max(...results.map(({ stolenShare }) => stolenShare)),
        ownDelaySeconds: Math.max(...results.map(({ ownDelaySeconds }) => ownDelaySeconds)),
        verdict: broken.length > 0 ? "broken" : missed,
        reasons: [...broken, ...late.map(({ reason }) => reason)],
    };
}
