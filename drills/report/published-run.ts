import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ToolchainError } from "../../offline/errors";
import type { RoundResult } from "../round";
import { assertKnownFaults, closeOpenRound, conclude, type DrillRun } from "../run";

/** What of a run is kept in the repository: every number of every round, not the timelines. */
export interface PublishedRun extends Omit<DrillRun, "stack" | "rounds" | "revisions"> {
    /** Undefined in runs that were published before rounds and revisions were kept. */
    rounds?: Omit<RoundResult, "timeline">[];
    revisions?: string[];
}

/** Judged anew: a summary in the file is what the code of that day made of the rounds. */
export function publish(run: DrillRun): PublishedRun {
    const judged = { ...run, crashed: [...run.crashed] };
    assertKnownFaults(judged);
    closeOpenRound(judged);
    conclude(judged);
    const { stack: _stack, rounds, ...kept } = judged;
    return { ...kept, rounds: rounds.map(({ timeline: _timeline, ...numbers }) => numbers) };
}

export const publishedFile = (checkout: string, name: string): string => join(checkout, "docs", "runs", `${name}.json`);

/** A run of this name, as its last sitting left it here, or as it was published; undefined when there is none. */
export function earlierRun(file: string, published: string): DrillRun | undefined {
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as DrillRun;
    if (!existsSync(published)) return undefined;
    const run = JSON.parse(readFileSync(published, "utf8")) as PublishedRun;
    if (run.rounds === undefined) {
        throw new ToolchainError(
            `--name: run ${run.name} was published without its rounds; it cannot be gone on with.`,
            "Choose another name.",
        );
    }
    return { stack: "", revisions: [], ...run, rounds: run.rounds };
}
