import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ToolchainError } from "../../offline/errors";
import type { RoundResult } from "../round";
import { assertKnownFaults, assertSameConditions, closeOpenRound, conclude, endedInRound, type DrillRun } from "../run";

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

/**
 * A run of this name, as its last sitting left it here, together with what was published of it, which may have been made
 * in another checkout; undefined when there is none.
 */
export function earlierRun(file: string, published: string): DrillRun | undefined {
    const here = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as DrillRun) : undefined;
    const run = existsSync(published) ? (JSON.parse(readFileSync(published, "utf8")) as PublishedRun) : undefined;
    if (here === undefined) return run && withRounds(run);
    if (run?.rounds === undefined) return here;
    const elsewhere = withRounds(run);
    assertSameConditions(elsewhere, here);
    return combine(here, elsewhere);
}

function withRounds(run: PublishedRun): DrillRun {
    if (run.rounds === undefined) {
        throw new ToolchainError(
            `--name: run ${run.name} was published without its rounds; it cannot be gone on with.`,
            "Choose another name.",
        );
    }
    return { stack: "", revisions: [], ...run, rounds: run.rounds };
}

/** Whatever either knows, each round once: as `here` has it, with its picture. What was withdrawn in one is in neither. */
function combine(here: DrillRun, elsewhere: DrillRun): DrillRun {
    const nameOf = ({ fault, begun }: { fault: string; begun: string }) => `${fault} ${begun}`;
    const withdrawn = unique([...(here.withdrawn ?? []), ...(elsewhere.withdrawn ?? [])], nameOf);
    const gone = new Set(withdrawn.map(nameOf));
    const rounds = unique([...here.rounds, ...elsewhere.rounds], nameOf)
        .filter((round) => !gone.has(nameOf(round)))
        .sort((a, b) => a.begun.localeCompare(b.begun));
    // A run may be published while a round of it is played.
    const ended = new Set(rounds.map(({ fault, begun }) => `${fault} ${endedInRound(begun)}`));
    const crashed = unique([...elsewhere.crashed, ...here.crashed], ({ fault, message }) => `${fault} ${message}`);
    const run = {
        ...here,
        revisions: [...new Set([...elsewhere.revisions, ...here.revisions])],
        rounds,
        crashed: crashed.filter(({ fault, message }) => !ended.has(`${fault} ${message}`)),
        ...(withdrawn.length === 0 ? {} : { withdrawn }),
    };
    conclude(run);
    return run;
}

const unique = <Item>(items: Item[], nameOf: (item: Item) => string): Item[] =>
    [...new Map(items.toReversed().map((item) => [nameOf(item), item])).values()].reverse();
