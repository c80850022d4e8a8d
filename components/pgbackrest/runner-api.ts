import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { backupRunnerName, ports } from "../naming";
import { backupPaths } from "./config";

/** What the runner answers to GET /status (image/backup/state.py). Times are ISO 8601 in UTC. */
export interface RunnerStatus {
    now: string;
    stanza: string;
    repository: string;
    /** Null until the first look. */
    reachable: boolean | null;
    problem: string | null;
    /** The repository's stanza is another database's; `problem` says so. */
    otherDatabase: boolean;
    checkedAt: string | null;
    archive: ArchiveStatus | null;
    /** The last ten, oldest first. */
    backups: BackupSummary[];
    running: Job | null;
    lastJob: (Job & { ok: boolean; message?: string; finishedAt: string; seconds: number }) | null;
    restoreTest: RestoreTest | null;
    latestRecoverableTime: string | null;
    requested: { job: string; type?: string }[];
}

export interface ArchiveStatus {
    newest: string | null;
    archivedAt: string | null;
    timeline: number | null;
    /** Finished segments that the repository does not have yet. */
    segmentsBehind: number | null;
    gaps: { from: string; to: string; segments: number }[];
    /** The newest backup cannot be rolled past one of them. Undefined in what a runner of an earlier image says. */
    gapAfterNewestBackup?: boolean;
}

export interface BackupSummary {
    label: string;
    type: "full" | "diff" | "incr";
    startedAt: string;
    finishedAt: string;
    databaseBytes: number;
    repositoryBytes: number | null;
    timeline: number;
    error: boolean;
}

export interface Job {
    job: "backup" | "restore-test";
    type?: string;
    reason: string;
    startedAt: string;
    doneBytes?: number;
    totalBytes?: number;
}

export interface RestoreTest {
    passedAt?: string;
    recoverableUntil?: string;
    backup?: string;
    failedAt?: string;
    message?: string;
}

/** From inside the runner's pod, with its own certificate. */
export async function askRunner(
    ssh: SshConnection,
    { cluster, namespace }: { cluster: string; namespace: string },
): Promise<RunnerStatus> {
    const { tls } = backupPaths;
    const curl =
        `curl --silent --show-error --fail-with-body --max-time 10 --cacert ${tls}/ca.crt --cert ${tls}/tls.crt ` +
        `--key ${tls}/tls.key https://localhost:${ports.backupRunner}/status`;
    const pod = `deployment/${backupRunnerName(cluster)}`;
    const { stdout } = await kubectl(ssh, `-n ${namespace} exec ${pod} -- ${curl}`);
    return JSON.parse(stdout) as RunnerStatus;
}
