import type { ArchiveStatus, RunnerStatus } from "../../components/pgbackrest/runner-api";
import type { BackupProbe } from "./backup";
import type { WriteProbe } from "./serving";

/** Older than this the archive is behind: `archive_timeout` and the push of a segment. */
const archiveAgeSeconds = 120;

export const age = (from: string | null | undefined, now: string): string => {
    if (!from) {
        return "never";
    }
    const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(from)) / 1000));
    if (seconds < 120) return `${seconds} s ago`;
    if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
    return seconds < 172_800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86_400)} days ago`;
};

/**
 * `archived`, `backed up` and `restore-tested`, each with when and what is wrong. Empty in a stack without backups.
 * `unarchived`: what PostgreSQL's own archiver says it failed at last; the repository alone does not show it.
 */
export function backupLines(status: BackupProbe, unarchived?: string): string[] {
    if (status === undefined) {
        return [];
    }
    if ("silent" in status) {
        return [`backups    not known  the runner does not answer: ${status.problem}`];
    }
    return [
        `archived   ${archived(status, unarchived)}`,
        `backed up  ${lastSeen(status)}${backedUp(status)}`,
        `restore-tested  ${lastSeen(status)}${restoreTested(status)}`,
    ];
}

/** What the primary could not archive at its last attempt, whichever entry led to it. */
export const unarchivedOf = (writes: WriteProbe[]): string | undefined =>
    writes.find(({ unarchived }) => unarchived !== undefined)?.unarchived;

/** Why a loss of every machine would lose more than a minute, or could not be undone at all. */
export function backupReasons(status: BackupProbe, unarchived?: string): string[] {
    if (status === undefined) {
        return [];
    }
    if ("silent" in status) {
        return [`the backup runner does not answer: ${status.problem}`];
    }
    const { archive, backups, running, lastJob, restoreTest } = status;
    if (status.reachable === false) {
        return [`the repository cannot be read: ${status.problem}`];
    }
    const last = backups.at(-1);
    const failed = !running && lastJob?.job === "backup" && !lastJob.ok ? lastJob.message : undefined;
    return [
        ...(unarchived === undefined ? [] : [`PostgreSQL cannot archive ${unarchived}`]),
        ...(isLate(status) ? [`the newest WAL in the archive is of ${age(archive?.archivedAt, status.now)}`] : []),
        ...((archive?.gapAfterNewestBackup ?? (archive?.gaps.length ?? 0) > 0)
            ? ["WAL is missing in the archive behind the newest backup"]
            : []),
        ...(last === undefined && !running ? ["there is no backup yet"] : []),
        ...(last?.error === true ? ["damaged pages were read for the last backup"] : []),
        ...(failed === undefined ? [] : [`the last backup failed: ${failed}`]),
        ...(restoreTest?.failedAt ? [`the last restore test failed: ${restoreTest.message}`] : []),
    ];
}

const isLate = ({ archive, now }: RunnerStatus): boolean =>
    Boolean(archive?.newest) && Date.parse(now) - Date.parse(archive?.archivedAt ?? "") > archiveAgeSeconds * 1000;

/** A backup that cannot be read now may not be there any more. */
const lastSeen = ({ reachable }: RunnerStatus): string =>
    reachable === false ? "not known  the repository cannot be read; when it could: " : "";

function archived(status: RunnerStatus, unarchived?: string): string {
    const { archive, now } = status;
    if (status.reachable === false) {
        return `no  ${status.problem}; last seen ${age(archive?.archivedAt, now)}`;
    }
    if (!archive?.newest) {
        return "no  nothing has been archived yet";
    }
    if (unarchived !== undefined) {
        return `no  PostgreSQL cannot archive ${unarchived} and keeps its WAL: see docs/runbooks/full-wal-volume.md`;
    }
    const behind = (archive.segmentsBehind ?? 0) > 2 ? `, ${archive.segmentsBehind} segments behind` : "";
    return `${isLate(status) ? "late" : "yes"}  ${age(archive.archivedAt, now)}${behind}, ${gaps(archive)}`;
}

const gaps = ({ gaps: found }: ArchiveStatus): string =>
    found.length === 0
        ? "no gap"
        : `GAP: ${found
              .slice(0, 3)
              .map(({ from, to, segments }) => (segments === 1 ? from : `${from} to ${to} (${segments})`))
              .join(", ")} missing; earlier backups cannot be rolled past it`;

function backedUp({ backups, running, lastJob, now }: RunnerStatus): string {
    const last = backups.at(-1);
    const full = backups.filter(({ type }) => type === "full").at(-1);
    const made = last
        ? `yes  ${age(last.finishedAt, now)} (${last.type}), full ${age(full?.finishedAt, now)}`
        : "no  the first backup is not done";
    const damaged = backups.filter(({ error }) => error).map(({ label }) => label);
    const pages = damaged.length > 0 ? `; DAMAGED PAGES were read for ${damaged.join(", ")}: see PostgreSQL's log` : "";
    const share = running?.totalBytes ? ` ${Math.round((100 * (running.doneBytes ?? 0)) / running.totalBytes)} %` : "";
    const going = running ? `; ${running.job} ${running.type ?? ""} runs${share}: ${running.reason}` : "";
    const failed =
        !running && lastJob?.job === "backup" && !lastJob.ok
            ? `; the last attempt failed ${age(lastJob.finishedAt, now)}: ${lastJob.message}`
            : "";
    return `${made}${pages}${going}${failed}`;
}

function restoreTested({ restoreTest, now, latestRecoverableTime }: RunnerStatus): string {
    if (restoreTest?.failedAt) {
        return `FAILED ${age(restoreTest.failedAt, now)}: ${restoreTest.message}`;
    }
    const recoverable = `data recoverable up to ${latestRecoverableTime ?? "(nothing yet)"}`;
    return restoreTest?.passedAt
        ? `yes  ${age(restoreTest.passedAt, now)}, proven up to ${restoreTest.recoverableUntil}; ${recoverable}`
        : `not yet; ${recoverable}`;
}
