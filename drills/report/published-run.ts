import { conclude, type DrillRun } from "../run";
import { catalogue } from "../faults/catalogue";
import type { FaultSummary } from "../judgement";

/** What of a run is kept in the repository: every number of every table, not the timelines. */
export interface PublishedRun extends Pick<DrillRun, "name" | "begun" | "host" | "writers" | "timers" | "verdict"> {
    summaries: FaultSummary[];
    skipped: DrillRun["skipped"];
    crashed: DrillRun["crashed"];
}

/** Judged anew: a summary in the file is what the code of that day made of the rounds. */
export function publish(run: DrillRun): PublishedRun {
    const judged = { ...run };
    conclude(judged, catalogue);
    const { name, begun, host, writers, timers, verdict, summaries, skipped, crashed } = judged;
    return { name, begun, host, writers, timers, verdict, summaries, skipped, crashed };
}
