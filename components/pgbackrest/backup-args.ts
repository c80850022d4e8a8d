import type * as pulumi from "@pulumi/pulumi";
import { quantityBytes } from "../quantity";
import type { Problem } from "../validation";
import type { MachinesArgs } from "../machines/machines-args";
import type { Resources } from "../workload";
import { normaliseRepository, type NormalisedRepositoryArgs, type RepositoryArgs } from "./repository-args";
import { repositoryProblems } from "./repository-validation";
import { scheduleProblems, type BackupSchedule } from "./schedule";

export interface BackupArgs {
    /** Where backups and WAL go. A change of place begins a new history: the old one stays where it is. */
    repository: RepositoryArgs;
    /**
     * Passphrase of a repository that exists already and that this stack's state does not know.
     * @default generated; the output `backup.passphrase`
     */
    passphrase?: pulumi.Input<string>;
    /** Cron expressions in UTC. A change is a restart of the runner. @default see `backupDefaults` */
    schedule?: Partial<BackupSchedule>;
    /** Backups that are kept, by number; the WAL they need is kept with them. @default 2 full, 7 differential */
    retention?: { full?: number; differential?: number };
    /** Processes that compress, encrypt and transfer at once in each pod. @default 2 */
    processes?: number;
    /** Room for the restore test's throwaway instance, on the disk of the node it runs on. @default postgres.storage */
    scratch?: string;
    /** Of the runner. A restore test runs a small PostgreSQL in it. @default { cpu: "100m", memory: "768Mi" } */
    resources?: Resources;
}

export interface NormalisedBackup {
    repository: NormalisedRepositoryArgs;
    passphrase?: pulumi.Input<string>;
    schedule: BackupSchedule;
    retention: { full: number; differential: number };
    processes: number;
    scratch: string;
    resources: Resources;
}

/** Defaults, each with its reason. */
export const backupDefaults = {
    // Two weekly fulls: a week can be reached back even while the next full one is being made. Daily differentials
    // keep a restore to two steps; four-hourly incrementals bound the WAL that a restore replays.
    schedule: { full: "0 1 * * 0", differential: "0 1 * * 1-6", incremental: "0 */4 * * *", restoreTest: "0 3 * * *" },
    retention: { full: 2, differential: 7 },
    // One core is left to PostgreSQL on small machines.
    processes: 2,
    resources: { cpu: "100m", memory: "768Mi" },
};

/** Of which stack and cluster the backups are, and how large its data can become. */
export interface BackupOwner {
    stack: string;
    cluster: string;
    storage: string;
}

export function normaliseBackup(args: BackupArgs, { stack, cluster, storage }: BackupOwner): NormalisedBackup {
    return {
        repository: normaliseRepository(args.repository, stack, cluster),
        passphrase: args.passphrase,
        schedule: { ...backupDefaults.schedule, ...args.schedule },
        retention: { ...backupDefaults.retention, ...args.retention },
        processes: args.processes ?? backupDefaults.processes,
        scratch: args.scratch ?? storage,
        resources: args.resources ?? backupDefaults.resources,
    };
}

export function backupProblems(backup: NormalisedBackup | undefined, machines: MachinesArgs): Problem[] {
    if (!backup) {
        return [];
    }
    const problems = [...scheduleProblems(backup.schedule), ...repositoryProblems(backup.repository, machines)];
    const add = (path: string, message: string) => problems.push({ path: `backup.${path}`, message });
    const { full, differential } = backup.retention;
    if (!Number.isInteger(full) || full < 1 || full > 9_999_999) {
        add("retention.full", `${full} would keep no backup; use 1 or more, 2 to reach back while a new one is made`);
    }
    if (!Number.isInteger(differential) || differential < 1 || differential > 9_999_999) {
        add("retention.differential", `${differential} is not a number of backups; use 1 or more`);
    }
    if (!Number.isInteger(backup.processes) || backup.processes < 1 || backup.processes > 64) {
        add("processes", `${backup.processes} is not a number of processes between 1 and 64`);
    }
    if (quantityBytes(backup.scratch) === undefined) {
        add("scratch", `"${backup.scratch}" is no size; write it as 10Gi`);
    }
    if ((quantityBytes(backup.resources.memory) ?? 0) < 2 ** 29) {
        add("resources.memory", `"${backup.resources.memory}" is too small for a restore test; 512Mi is the least`);
    }
    if (typeof backup.passphrase === "string" && backup.passphrase.length < 16) {
        add("passphrase", "is shorter than 16 characters; leave it out and one is generated");
    }
    return problems;
}
