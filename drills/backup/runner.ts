import { setTimeout as sleep } from "node:timers/promises";
import { probeBackup, tellRunner } from "../../commands/status/backup";
import type { RunnerStatus } from "../../components/pgbackrest/runner-api";
import type { Cluster } from "../cluster";

/** Nothing runs, and nothing is asked for. */
export const isAtRest = ({ running, requested }: RunnerStatus): boolean => !running && requested.length === 0;

/** No backup runs, where there are any. */
export async function backupsIdle(cluster: Cluster): Promise<void> {
    if (cluster.state.backup !== undefined) await new Runner(cluster).idle();
}

/** The backup runner of a running stack, as drills use it. */
export class Runner {
    constructor(private readonly cluster: Cluster) {}

    async status(): Promise<RunnerStatus> {
        const status = await probeBackup(this.cluster.state, this.cluster.tunnel);
        if (status === undefined || "silent" in status) {
            throw new Error(`the backup runner does not answer: ${status?.problem ?? "the stack has no backups"}`);
        }
        return status;
    }

    /** Until the runner's status is as wanted; the last one seen is in the error. */
    async until(
        what: string,
        timeoutSeconds: number,
        isWanted: (status: RunnerStatus) => boolean,
    ): Promise<RunnerStatus> {
        const end = Date.now() + timeoutSeconds * 1000;
        for (;;) {
            const status = await this.status().catch((error: unknown) => (error as Error).message);
            if (typeof status !== "string" && isWanted(status)) {
                return status;
            }
            if (Date.now() > end) {
                throw new Error(`${what}: not within ${timeoutSeconds} s; last seen: ${JSON.stringify(status)}`);
            }
            await sleep(500);
        }
    }

    idle(timeoutSeconds = 600): Promise<RunnerStatus> {
        const isIdle = (status: RunnerStatus) => isAtRest(status) && status.reachable === true;
        return this.until("the runner is idle", timeoutSeconds, isIdle);
    }

    /** Until the repository has this segment or a later one. */
    archived(segment: string, timeoutSeconds: number): Promise<RunnerStatus> {
        return this.until(`segment ${segment}`, timeoutSeconds, ({ archive }) => (archive?.newest ?? "") >= segment);
    }

    /** Until the newest backup is of the timeline that is written now: one follows every promotion. */
    async backedUp(timeoutSeconds: number): Promise<RunnerStatus> {
        // Not of the timeline that was written when the runner looked last.
        await this.check();
        const isOfNow = ({ backups, archive }: RunnerStatus): boolean =>
            archive !== null && archive.timeline !== null && backups.at(-1)?.timeline === archive.timeline;
        return this.until("a backup of the new timeline", timeoutSeconds, isOfNow);
    }

    /** Runs a job to its end and returns what the runner says of it. */
    async run(path: string, timeoutSeconds = 600): Promise<RunnerStatus> {
        const before = (await this.idle(timeoutSeconds)).lastJob?.finishedAt;
        await tellRunner(this.cluster.state, this.cluster.tunnel, path);
        const isDone = (status: RunnerStatus) => isAtRest(status) && status.lastJob?.finishedAt !== before;
        return this.until(path, timeoutSeconds, isDone);
    }

    /** Looks at the whole archive now. */
    async check(): Promise<RunnerStatus> {
        const before = (await this.status()).checkedAt;
        await tellRunner(this.cluster.state, this.cluster.tunnel, "/check");
        return this.until(
            "a check of the archive",
            90,
            (status) => status.requested.length === 0 && status.checkedAt !== before,
        );
    }
}
