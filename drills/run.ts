import { cpus, totalmem } from "node:os";
import { waitUntilItWorks } from "../components/progress";
import { explain, ToolchainError } from "../offline/errors";
import { duration, say, step } from "../offline/progress";
import type { EffectiveTimers } from "./bars";
import { beforeTheEnd } from "./before-the-end";
import type { Cluster } from "./cluster";
import { keepEvidence } from "./evidence";
import { catalogue } from "./faults/catalogue";
import type { Fault } from "./faults/fault";
import { summarise, type FaultSummary } from "./judgement";
import { SmallVolume } from "./machine/small-volume";
import { LeftBehind, NotBegun, runRound, type RoundResult } from "./round";

/** Everything that a run has seen; its JSON is what reports are made of. */
export interface DrillRun {
    name: string;
    stack: string;
    begun: string;
    host: { cores: number; memoryGiB: number };
    writers: number;
    timers: EffectiveTimers;
    /** Of the program that was running, in the order in which rounds were added; a run may be made in several sittings. */
    revisions: string[];
    skipped: { fault: string; imitates: string; reason: string }[];
    rounds: RoundResult[];
    /** Rounds that could not be brought to an end, and what was not fit for another round afterwards. */
    crashed: { fault: string; message: string }[];
    /** The round that is being played: one that leaves no result has not ended. */
    open?: { fault: string; begun: string };
    /** Results that a person took out of the run, and why. */
    withdrawn?: { fault: string; begun: string; reason: string }[];
    summaries: FaultSummary[];
    verdict: "green" | "red" | "not judged";
}

export interface RunOptions {
    name: string;
    faults: Fault[];
    /** Of each fault, those of `continues` included. */
    rounds: number;
    writers: number;
    /** The same run as an earlier sitting left it. */
    continues?: DrillRun;
    /** No round begins after it, in ms since 1970. */
    deadline?: number;
    /** Of the program, for the report. */
    revision: string;
    /** Folder for the logs of rounds that went wrong. */
    evidence: string;
    /** After each round; a run of hours must not be lost with its last one. */
    save: (run: DrillRun) => void;
}

/**
 * One round of every fault, then the next of every fault: a run that is broken off has as many of each. It goes on where
 * `continues` ended.
 */
export async function drill(cluster: Cluster, options: RunOptions): Promise<DrillRun> {
    const { faults, rounds, deadline = Infinity, save } = options;
    const run = await begin(cluster, options);
    const givingBack = SmallVolume.giveAllBack(cluster);
    const dismiss = beforeTheEnd(() => givingBack);
    await givingBack.finally(dismiss);
    let last: RoundResult | undefined;
    const told = new Set<string>();
    // Not the next fault's doing. If it is anybody's, then of the one before.
    const ofTheLast = (message: string): void => {
        if (last !== undefined) run.crashed.push({ fault: last.fault, message: `afterwards: ${message}` });
    };
    const orOfTheLast = (error: unknown): never => {
        if (error instanceof NotBegun) ofTheLast(explain(error));
        conclude(run);
        save(run);
        throw error;
    };
    for (let round = 1; round <= rounds; round += 1) {
        for (const [index, fault] of faults.entries()) {
            if (roundsOf(run, fault).length >= round) continue;
            // Each time: it may depend on where the primary is now.
            const isPossible = await lookForObstacle(cluster, fault, run, told).catch(orOfTheLast);
            save(run);
            if (!isPossible) continue;
            if (Date.now() > deadline) {
                say("The time that was given is over; the same command again goes on with the run.");
                return run;
            }
            const title = `[${round}/${rounds}] ${fault.name} (${index + 1}/${faults.length})`;
            const { result, goesOn } = await oneRound(cluster, fault, run, options, title).catch(orOfTheLast);
            if (last !== undefined && result !== undefined) happenedBetween(last, result).forEach(ofTheLast);
            last = result;
            conclude(run);
            save(run);
            if (!goesOn) {
                say("The stack is not whole: the run ends here. `make status` says what is missing.");
                return run;
            }
        }
    }
    return run;
}

const roundsOf = (run: DrillRun, fault: Fault): RoundResult[] =>
    run.rounds.filter(({ fault: name }) => name === fault.name);

async function begin(cluster: Cluster, { name, writers, continues, revision }: RunOptions): Promise<DrillRun> {
    const run: DrillRun = {
        name,
        stack: cluster.state.stack,
        begun: new Date().toISOString(),
        host: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) },
        writers,
        timers: await cluster.timers(),
        revisions: [revision],
        skipped: [],
        rounds: [],
        crashed: [],
        summaries: [],
        verdict: "not judged",
    };
    if (continues === undefined) return run;
    assertSameConditions(continues, run);
    assertKnownFaults(continues);
    const revisions = [...new Set([...continues.revisions, revision])];
    const goesOn = { ...continues, stack: run.stack, revisions, crashed: [...continues.crashed] };
    closeOpenRound(goesOn);
    conclude(goesOn);
    return goesOn;
}

export const endedInRound = (begun: string): string => `the drill was ended in the round that began at ${begun}`;

/** What ended with the drill itself, by a signal or a crash, has shown no end. */
export function closeOpenRound(run: DrillRun): void {
    if (run.open === undefined) return;
    run.crashed.push({
        fault: run.open.fault,
        message: endedInRound(run.open.begun),
    });
    run.open = undefined;
}

/** Rounds of a fault that is no more would be in no table, and in no verdict. */
export function assertKnownFaults({ name, rounds, crashed }: DrillRun): void {
    const known = new Set(catalogue.map((fault) => fault.name));
    const unknown = new Set([...rounds, ...crashed].map(({ fault }) => fault).filter((fault) => !known.has(fault)));
    if (unknown.size > 0) {
        throw new ToolchainError(
            `Run ${name} has rounds of faults that the catalogue does not have: ${[...unknown].join(", ")}`,
            "Give the run another name.",
        );
    }
}

/** Rounds under other conditions say something else: they do not belong into the same distribution. */
export function assertSameConditions(earlier: DrillRun, now: DrillRun): void {
    const conditions = ({ stack, writers, timers, host }: DrillRun): Record<string, string> => ({
        // A published run does not tell.
        ...(earlier.stack === "" ? {} : { "the stack": stack }),
        writers: String(writers),
        ttl: `${timers.ttl} s`,
        wal_sender_timeout: `${timers.walSenderTimeout} s`,
        "the host": `${host.cores} cores and ${host.memoryGiB} GiB`,
    });
    const [then, today] = [conditions(earlier), conditions(now)];
    const others = Object.keys(then).filter((key) => then[key] !== today[key]);
    if (others.length > 0) {
        throw new ToolchainError(
            `--name: run ${earlier.name} was made under other conditions: ` +
                others.map((key) => `${key} ${then[key]}, now ${today[key]}`).join("; "),
            "Give the same, or the run another name.",
        );
    }
}

/** `told`: the reasons that are on the terminal already. */
async function lookForObstacle(cluster: Cluster, fault: Fault, run: DrillRun, told: Set<string>): Promise<boolean> {
    // One probe that hangs on a starved host says nothing.
    const ask = () => Promise.resolve(fault.obstacle?.(cluster));
    const reason = await waitUntilItWorks(`whether ${fault.name} is possible`, 30, ask).catch((error: unknown) => {
        throw new NotBegun(fault.name, error as Error);
    });
    run.skipped = run.skipped.filter((skipped) => skipped.fault !== fault.name);
    if (reason === undefined) return true;
    run.skipped.push({ fault: fault.name, imitates: fault.imitates, reason });
    const line = `- ${fault.name}: skipped, ${reason}`;
    if (!told.has(line)) say(line);
    told.add(line);
    return false;
}

/** A probe that hangs on a starved host, and is asked again, takes less. */
const longestWaitSeconds = 20;

/** What nobody watched: between two rounds there are no clients, and a whole stack stays as it was left. */
export function happenedBetween(last: RoundResult, next: RoundResult): string[] {
    const reasons: string[] = [];
    const [then, now] = [last.timelines?.after, next.timelines?.before];
    if (then !== undefined && now !== undefined && then !== now) {
        reasons.push(`${now - then} promotions before the next round began`);
    }
    const { waitedSeconds = 0 } = next;
    if (last.stuck === undefined && waitedSeconds > longestWaitSeconds) {
        reasons.push(`the stack was not whole any more, for ${waitedSeconds.toFixed(0)} s`);
    }
    return reasons;
}

/** `goesOn`: false when the stack did not come back, so that nothing can follow. */
async function oneRound(
    cluster: Cluster,
    fault: Fault,
    run: DrillRun,
    options: RunOptions,
    title: string,
): Promise<{ result?: RoundResult; goesOn: boolean }> {
    const begun = new Date();
    run.open = { fault: fault.name, begun: begun.toISOString() };
    options.save(run);
    const keep = () => keepEvidence(cluster, `${options.evidence}/${fault.name}-${begun.getTime()}`, begun);
    try {
        const result = await step(title, (progress) =>
            runRound(cluster, fault, { writers: options.writers, report: (text) => progress.detail(text) }),
        );
        run.rounds.push({ ...result, revision: options.revision });
        // By itself: what is late in one round of twenty wants an explanation, too, and the logs are gone with the next one.
        const { verdict, reasons } = summarise(fault, [result], run.timers);
        say(`    ${describe(result)}${reasons.map((reason) => `\n    ${verdict.toUpperCase()}: ${reason}`).join("")}`);
        if (reasons.length > 0) {
            say(`    logs: ${await keep()}`);
        }
        return { result, goesOn: result.stuck === undefined };
    } catch (error) {
        if (error instanceof NotBegun) throw error;
        const message = explain(error);
        run.crashed.push({ fault: fault.name, message });
        say(`    BROKEN: the round did not end: ${message}\n    logs: ${await keep()}`);
        if (error instanceof LeftBehind) return { goesOn: false };
        return cluster.waitUntilHealed(300).then(
            () => ({ goesOn: true }),
            () => ({ goesOn: false }),
        );
    } finally {
        run.open = undefined;
    }
}

const describe = (result: RoundResult): string =>
    `${result.target}: outage ${result.outageSeconds.toFixed(2)} s, worst client ${result.worstClientSeconds.toFixed(2)} s, ` +
    `whole again after ${duration(result.redundancySeconds * 1000)}; ${result.acknowledged} acknowledged, ${result.lost} lost, ` +
    `${result.failed} refused, ${result.unknown} unknown; ${result.primary.before} -> ${result.primary.after}` +
    (result.ownDelaySeconds > 0.1 ? `; the drill waited ${result.ownDelaySeconds.toFixed(2)} s for a processor` : "") +
    (result.stolenShare > 0.05 ? `; the host was denied ${(100 * result.stolenShare).toFixed(0)} % of its CPU` : "");

export function conclude(run: DrillRun): void {
    run.summaries = catalogue.flatMap((fault) => {
        const results = run.rounds.filter((result) => result.fault === fault.name);
        const unfinished = run.crashed.filter((crash) => crash.fault === fault.name).map(({ message }) => message);
        return results.length > 0 ? [summarise(fault, results, run.timers, unfinished)] : [];
    });
    const verdicts = run.summaries.map(({ verdict }) => verdict);
    const isRed = run.crashed.length > 0 || verdicts.includes("broken") || verdicts.includes("late");
    const isOpen = verdicts.length === 0 || verdicts.includes("not judged");
    run.verdict = isRed ? "red" : isOpen ? "not judged" : "green";
}
