import { ToolchainError } from "../../offline/errors";
import { casesOf, loads, type CaseGroup, type Load, type Measurement } from "./load";

/** A run of make bench. */
export interface BenchRun {
    name: string;
    stack: string;
    /** Of the program that was measured. */
    revision: string;
    begun: string;
    host: { cores: number; memoryGiB: number };
    loads: Load["name"][];
    clients: number[];
    /** Of one measurement. */
    seconds: number;
    repeats: number;
    /** Of pgbench's tables. */
    scale: number;
    measurements: Measurement[];
    /** Repeats that were broken off and made again, each with why. */
    brokenOff: string[];
}

/** What is kept in the repository. */
export type PublishedBench = Omit<BenchRun, "stack">;

export const groupsOf = (run: Pick<BenchRun, "loads" | "clients">): CaseGroup[] =>
    loads
        .filter(({ name }) => run.loads.includes(name))
        .flatMap((load) => run.clients.map((clients) => ({ load, clients })));

/** A run that ended early has fewer repeats than it says, or none of some. */
export function assertComplete(run: BenchRun): void {
    const wanted = groupsOf(run).reduce((sum, group) => sum + casesOf(group, 0).length * run.repeats, 0);
    if (run.measurements.length !== wanted) {
        throw new ToolchainError(
            `Run ${run.name} ended early: ${run.measurements.length} of ${wanted} measurements.`,
            'make bench ARGS="--name NAME" makes another.',
        );
    }
}
