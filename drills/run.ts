import { cpus, totalmem } from "node:os";
import { explain } from "../offline/errors";
import { duration, say, step } from "../offline/progress";
import type { EffectiveTimers } from "./bars";
import type { Cluster } from "./cluster";
import { keepEvidence } from "./evidence";
import type { Fault } from "./faults/fault";
import { brokenPromises, summarise, type FaultSummary } from "./judgement";
import { LeftBehind, runRound, type RoundResult } from "./round";

/** Everything that a run has seen; its JSON is what reports are made of. */
export interface DrillRun {
    name: string;
    stack: string;
    begun: string;
    host: { cores: number; memoryGiB: number };
    writers: number;
    timers: EffectiveTimers;
    skipped: { fault: string; imitates: string; reason: string }[];
    rounds: RoundResult[];
    /** Rounds that could not be brought to an end. */
    crashed: { fault: string; message: string }[];
    summaries: FaultSummary[];
    verdict: "green" | "red" | "not judged";
}

export interface RunOptions {
    name: string;
    faults: Fault[];
    rounds: number;
    writers: number;
    /** Folder for the logs of rounds that went wrong. */
    evidence: string;
    /** After each round; a run of hours must not be lost with its last one. */
    save: (run: DrillRun) => void;
}

export async function drill(cluster: Cluster, options: RunOptions): Promise<DrillRun> {
    const { name, faults, rounds, writers, save } = options;
    const run: DrillRun = {
        name,
        stack: cluster.state.stack,
        begun: new Date().toISOString(),
        host: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) },
        writers,
        timers: await cluster.timers(),
        skipped: [],
        rounds: [],
        crashed: [],
        summaries: [],
        verdict: "not judged",
    };
    for (const [index, fault] of faults.entries()) {
        const reason = await fault.obstacle?.(cluster);
        if (reason !== undefined) {
            run.skipped.push({ fault: fault.name, imitates: fault.imitates, reason });
            say(`- ${fault.name}: skipped, ${reason}`);
            save(run);
            continue;
        }
        for (let round = 1; round <= rounds; round += 1) {
            const goesOn = await oneRound(
                cluster,
                fault,
                run,
                options,
                `[${index + 1}/${faults.length}] ${fault.name} ${round}/${rounds}`,
            );
            conclude(run, faults);
            save(run);
            if (!goesOn) {
                say("The stack is not whole: the run ends here. `make status` says what is missing.");
                return run;
            }
        }
    }
    return run;
}

/** False when the stack did not come back, so that nothing can follow. */
async function oneRound(
    cluster: Cluster,
    fault: Fault,
    run: DrillRun,
    options: RunOptions,
    title: string,
): Promise<boolean> {
    const begun = new Date();
    const keep = () => keepEvidence(cluster, `${options.evidence}/${fault.name}-${begun.getTime()}`, begun);
    try {
        const result = await step(title, (progress) =>
            runRound(cluster, fault, { writers: options.writers, report: (text) => progress.detail(text) }),
        );
        run.rounds.push(result);
        const broken = brokenPromises(fault, result);
        say(`    ${describe(result)}${broken.map((reason) => `\n    BROKEN: ${reason}`).join("")}`);
        if (broken.length > 0) {
            say(`    logs: ${await keep()}`);
        }
        return result.stuck === undefined;
    } catch (error) {
        const message = explain(error);
        run.crashed.push({ fault: fault.name, message });
        say(`    BROKEN: the round did not end: ${message}\n    logs: ${await keep()}`);
        if (error instanceof LeftBehind) return false;
        return cluster.waitUntilHealed(300).then(
            () => true,
            () => false,
        );
    }
}

const describe = (result: RoundResult): string =>
    `${result.target}: outage ${result.outageSeconds.toFixed(2)} s, worst client ${result.worstClientSeconds.toFixed(2)} s, ` +
    `whole again after ${duration(result.redundancySeconds * 1000)}; ${result.acknowledged} acknowledged, ${result.lost} lost, ` +
    `${result.failed} refused, ${result.unknown} unknown; ${result.primary.before} -> ${result.primary.after}` +
    (result.ownDelaySeconds > 0.1 ? `; the drill waited ${result.ownDelaySeconds.toFixed(2)} s for a processor` : "") +
    (result.stolenShare > 0.05 ? `; the host was denied ${(100 * result.stolenShare).toFixed(0)} % of its CPU` : "");

export function conclude(run: DrillRun, faults: Fault[]): void {
    run.summaries = faults.flatMap((fault) => {
        const results = run.rounds.filter((result) => result.fault === fault.name);
        return results.length > 0 ? [summarise(fault, results, run.timers)] : [];
    });
    const verdicts = run.summaries.map(({ verdict }) => verdict);
    const isRed = run.crashed.length > 0 || verdicts.includes("broken") || verdicts.includes("late");
    const isOpen = verdicts.length === 0 || verdicts.includes("not judged");
    run.verdict = isRed ? "red" : isOpen ? "not judged" : "green";
}
