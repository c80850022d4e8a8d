import { setTimeout as sleep } from "node:timers/promises";
import { probeInstances } from "../commands/status/patroni";
import { waitUntilItWorks } from "../components/progress";
import { ToolchainError } from "../offline/errors";
import { isAtRest, Runner } from "./backup/runner";
import type { Cluster } from "./cluster";
import type { Fault, PreparedFault } from "./faults/fault";
import { Injection } from "./faults/injection";
import { noCpuTicks, readCpuTicks, StealRecord } from "./host-steal";
import { differingCopies } from "./ledger/copies";
import { Ledger } from "./ledger/ledger";
import { now } from "./ledger/operation";
import type { Gap } from "./ledger/outage";
import { Sampler } from "./ledger/sampler";
import type { Overlap } from "./ledger/two-primaries";
import type { Verdict } from "./ledger/verdict";
import { OwnDelay } from "./own-delay";
import { Timeline, type RecordedTimeline } from "./timeline";

/** What kept the drill from looking, in a stretch of time. */
export interface Disturbance {
    /** Share of the host's CPU time that its hypervisor gave to others, 0 to 1. */
    stolenShare: number;
    /** Seconds that the drill's own process was kept from running. */
    ownDelaySeconds: number;
}

export interface RoundResult extends Verdict {
    fault: string;
    /** Of the program; undefined in rounds that were made before it was kept. */
    revision?: string;
    target: string;
    /** When it began, ISO 8601. */
    begun: string;
    /** Nobody got an acknowledgement; from the fault until it is healed. */
    outageSeconds: number;
    worstClientSeconds: number;
    /** The longest pause after it was healed: rejoining must not be felt. */
    pauseWhileHealingSeconds: number;
    /** From the fault, or from when healing was begun, until all members and a synchronous standby are back. */
    redundancySeconds: number;
    /**
     * From the fault until most of the hosts that start again by themselves had begun to, firmware included; undefined where
     * none do.
     */
    bootSeconds?: number;
    primary: { before: string; after: string };
    /** Timelines that were begun, of whichever instance, but for those that the drill itself asked for beside the fault. */
    promotions: number;
    twoPrimaries: Overlap[];
    /** Answers the sampler got since the fault, per instance. */
    sampled: Record<string, number>;
    /** Share of the host's CPU time that its hypervisor gave to others while the longest pause lasted, 0 to 1. */
    stolenShare: number;
    /** Seconds that the drill's own process was kept from running while the longest pause lasted. */
    ownDelaySeconds: number;
    /** The same while the worst client waited. Undefined in rounds that were made before it was kept, as what follows. */
    worstClientDisturbance?: Disturbance;
    /** The same from when healing was begun until the cluster was redundant again. */
    stolenWhileHealing: number;
    ownDelayWhileHealing?: number;
    /** Of the primary; the next round must begin on the one that this ended on. */
    timelines?: { before: number; after: number };
    /** Seconds until the stack was fit for the round: it was left whole by the one before. */
    waitedSeconds?: number;
    /** Set when a client still could not write after two minutes, and the fault was healed nevertheless. */
    gaveUp?: string;
    /** Why the fault did nothing; undefined where it did, or nothing is known of it. */
    notBitten?: string;
    /** Why it does not heal without a person; undefined when it did. */
    stuck?: string;
    /** Undefined in a run that was published: it keeps every number, and no pictures. */
    timeline?: RecordedTimeline;
}

export interface RoundOptions {
    /** @default 20 */
    writers?: number;
    /** Instead of the fault's own way to heal. */
    heal?: () => Promise<void>;
    /** Runs when the fault is healed and before the ledger is read; tests plant their regressions with it. */
    beforeVerdict?: (cluster: Cluster) => Promise<void>;
    /** Told what goes on, in a few words. */
    report?: (text: string) => void;
}

/** Instead of the primary's name, when there is none at the end of a round. */
export const nobody = "(none)";

const warmUpMs = 4000;
/** A fault that bites late, when a lock expires that is renewed no more, must have bitten before the outage is called over. */
const settleSeconds = (ttl: number): number => Math.max(8, ttl + 2);
const limitMs = 120_000;
/** Long enough for each instance to be sampled after it is back, and for what its return may still do to the others. */
const afterWholeMs = 3000;
const healLimitSeconds = 600;
/** For what the database itself does not need: machines, nodes and entries. */
const layersLimitSeconds = 300;
/** A runner that finds no end is a matter of its own tests. */
const backupLimitSeconds = 120;

/** One fault under load: clients before, during and after; then what they were told against what is there. */
export async function runRound(cluster: Cluster, fault: Fault, options: RoundOptions = {}): Promise<RoundResult> {
    const report = options.report ?? (() => undefined);
    report("waiting until all is well");
    const { before, ttl, entry, waitedSeconds } = await fitForRound(cluster).catch((error: unknown) => {
        throw new NotBegun(fault.name, error as Error);
    });
    const begun = new Date();
    const instances = { tunnel: cluster.tunnel, instances: cluster.state.instances, entry };
    const ledger = await Ledger.start({
        readWrite: cluster.readWrite,
        readOnly: cluster.readOnly,
        round: `${fault.name}-${begun.getTime()}`,
        writers: options.writers,
        compareCopies: (round) => differingCopies(instances, round),
    });
    const sampler = new Sampler(instances);
    const ownDelay = new OwnDelay(now);
    // What is withheld from this host is withheld from machines that are containers on it, and from no others.
    const machinesAreHere = cluster.state.machines.every(({ container }) => container !== undefined);
    const steal = new StealRecord(now, machinesAreHere ? readCpuTicks : noCpuTicks);
    const timeline = new Timeline(ledger, sampler);
    const injection = new Injection(cluster, fault, options.heal);
    let ended: Error | undefined;
    try {
        report("clients write");
        await sleep(warmUpMs);
        const prepared = await injection.prepare();
        const faultAt = timeline.mark("fault");
        report(`${prepared.target} is hit`);
        await injection.inject(prepared);
        const gaveUp = await whileItLasts(ledger, fault, faultAt, ttl, report);
        const notBitten = await prepared.notBitten?.();
        const healAt = timeline.mark("heal");
        report("healing");
        await injection.heal(prepared);
        const started = await startsSince(prepared);
        const notHealed = await whyNot(cluster.waitUntilHealed(healLimitSeconds));
        const wholeAt = timeline.mark(notHealed === undefined ? "whole" : "stuck");
        report("waiting for the machines, the nodes and the entries");
        const stuck = notHealed ?? (await whyNot(cluster.waitUntilWhole(layersLimitSeconds)));
        // A lock that is renewed no more once the fault is healed bites as late as one that it kept from being renewed.
        await sleep(Math.max(afterWholeMs, healAt + 1000 * settleSeconds(ttl) - now()));
        await options.beforeVerdict?.(cluster);
        const end = now();
        // One that is held is felt until it is healed and after that.
        const held = fault.holdSeconds !== undefined;
        const seen = ledger.outage(faultAt, held ? end : healAt);
        const later = held ? undefined : ledger.outage(healAt, end);
        const longest = longer(seen.whole, later?.whole);
        const worst = longer(seen.worstClient, later?.worstClient);
        const disturbed = ({ from, until = end }: Gap): Disturbance => ({
            stolenShare: steal.share(from, until),
            ownDelaySeconds: ownDelay.seconds(from, until),
        });
        const clearFrom = started?.last ?? (needsHealing(fault) ? healAt : faultAt);
        const healing = disturbed({ from: clearFrom, until: wholeAt, seconds: 0 });
        const after = await primaryNow(cluster).catch(() => ({ name: nobody, timeline: before.timeline }));
        const twoPrimaries = await sampler.finish();
        report("comparing what clients were told with what is there");
        return {
            ...(await ledger.finish(faultAt)),
            fault: fault.name,
            target: prepared.target,
            begun: begun.toISOString(),
            outageSeconds: seen.whole.seconds,
            worstClientSeconds: worst.seconds,
            worstClientDisturbance: disturbed(worst),
            pauseWhileHealingSeconds: later?.whole.seconds ?? 0,
            redundancySeconds: (wholeAt - clearFrom) / 1000,
            ...(started === undefined ? {} : { bootSeconds: (started.majority - faultAt) / 1000 }),
            primary: { before: before.name, after: after.name },
            promotions: after.timeline - before.timeline - (prepared.ownPromotions?.() ?? 0),
            timelines: { before: before.timeline, after: after.timeline },
            waitedSeconds,
            twoPrimaries,
            sampled: sampler.answersSince(faultAt),
            ...disturbed(longest),
            stolenWhileHealing: healing.stolenShare,
            ownDelayWhileHealing: healing.ownDelaySeconds,
            gaveUp,
            notBitten,
            ...(stuck === undefined ? {} : { stuck }),
            timeline: timeline.recorded(),
        };
    } catch (error) {
        ended = error as Error;
        throw error;
    } finally {
        const leftBehind = await injection.finish();
        ownDelay.stop();
        steal.stop();
        await Promise.all([ledger.stop(), sampler.finish()]);
        if (leftBehind !== undefined) {
            // eslint-disable-next-line no-unsafe-finally -- worse than what ended the round, which it names
            throw new LeftBehind(fault.name, leftBehind, ended);
        }
    }
}

/** What a round begins with, once the stack is fit for one. */
async function fitForRound(cluster: Cluster) {
    const waitedSeconds = await cluster.waitUntilHealed();
    await backupsAtRest(cluster);
    const [entry] = cluster.readWrite;
    if (entry === undefined) {
        throw new Error("the connection string names no entry");
    }
    return { before: await primaryNow(cluster), ttl: (await cluster.timers()).ttl, entry, waitedSeconds };
}

/** Nothing was done to the stack yet: that says nothing of the fault. */
export class NotBegun extends ToolchainError {
    constructor(fault: string, cause: Error) {
        super(
            `The round of ${fault} did not begin: ${cause.message}`,
            "`make status` says what is missing; the same command goes on with the run.",
        );
    }
}

/** A fault that could not be taken back: nothing may follow it. */
export class LeftBehind extends Error {
    constructor(fault: string, cause: Error, ended: Error | undefined) {
        super(`${fault} could not be taken back: ${cause.message}; before that: ${ended?.message}`, { cause });
    }
}

/**
 * Every promotion is followed by a backup. Rounds follow one another within seconds, failures do not: the backup of the
 * round before would take its share of the processors in this one. A fault in the middle of a backup has a test of its own.
 */
async function backupsAtRest(cluster: Cluster): Promise<void> {
    if (cluster.state.backup === undefined) return;
    await new Runner(cluster)
        .until("no backup runs", backupLimitSeconds, (status) => status.reachable === false || isAtRest(status))
        .catch(() => undefined);
}

/** When what starts again by itself did, the last of it and most of it. */
async function startsSince({ upFor }: PreparedFault): Promise<{ last: number; majority: number } | undefined> {
    if (upFor === undefined) return undefined;
    const seconds = await waitUntilItWorks("since when it runs again", 60, upFor);
    const starts = seconds.map((each) => now() - 1000 * each).sort((a, b) => a - b);
    return { last: starts.at(-1) ?? NaN, majority: starts[Math.floor(starts.length / 2)] ?? NaN };
}

const longer = (one: Gap, other: Gap = one): Gap => (other.seconds > one.seconds ? other : one);

const whyNot = (waiting: Promise<unknown>): Promise<string | undefined> =>
    waiting.then(
        () => undefined,
        (error: Error) => error.message,
    );

/** Those are away until somebody brings them back; the others begin to come back at once. */
const needsHealing = ({ awayUntilHealed, holdSeconds }: Fault): boolean =>
    awayUntilHealed === true || holdSeconds !== undefined;

/** One probe that hangs on a starved host says nothing: it is asked for some seconds. */
const primaryNow = (cluster: Cluster): Promise<{ name: string; timeline: number }> =>
    waitUntilItWorks("the primary", 10, () => askForPrimary(cluster));

async function askForPrimary({ state, tunnel }: Cluster): Promise<{ name: string; timeline: number }> {
    const instances = await probeInstances(state, tunnel);
    const primary = instances.find(({ role, answers }) => role === "primary" && answers);
    if (primary?.timeline === undefined) {
        throw new Error(`no instance is primary: ${JSON.stringify(instances)}`);
    }
    return { name: primary.name, timeline: primary.timeline };
}

/** A failover that has to come waits for the lock's end, whose life follows the objective. */
const holdSecondsOf = ({ holdSeconds, failover }: Fault, ttl: number): number | undefined =>
    failover === "expected" && holdSeconds !== undefined ? Math.max(holdSeconds, ttl + 20) : holdSeconds;

/** Returns why it was not waited for any longer, where a client still cannot write. */
async function whileItLasts(
    ledger: Ledger,
    fault: Fault,
    faultAt: number,
    ttl: number,
    report: (text: string) => void,
): Promise<string | undefined> {
    const since = () => `${Math.round((now() - faultAt) / 1000)} s`;
    const writes = () =>
        ledger.allAcknowledgedSince(now() - 1000) ? "every client writes" : "not every client writes";
    const holdSeconds = holdSecondsOf(fault, ttl);
    if (holdSeconds !== undefined) {
        for (const end = now() + holdSeconds * 1000; now() < end;) {
            report(`held for ${since()} of ${holdSeconds} s, ${writes()}`);
            await sleep(Math.min(500, Math.max(0, end - now())));
        }
        return undefined;
    }
    const limit = now() + limitMs;
    await sleep(settleSeconds(ttl) * 1000);
    while (!ledger.allAcknowledgedSince(now() - 1000)) {
        if (now() > limit) return `not every client could write ${since()} after the fault`;
        report(`${since()} after it, ${writes()}`);
        await sleep(100);
    }
    return undefined;
}
