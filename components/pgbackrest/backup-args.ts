import type { RepositoryArgs } from "./repository-args";

/** Backups by pgBackRest. */
export interface BackupArgs {
    /** Where they lie. */
    repository: RepositoryArgs;
}
