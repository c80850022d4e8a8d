import { normaliseBackup } from "./pgbackrest/backup-args";
import { defaults, type NormalisedArgs, type PostgresHAArgs } from "./postgres-ha-args";
import { postgresHAProblems } from "./postgres-ha-validation";
import { refuse } from "./validation";

/** Fills in the defaults and refuses, all at once, what cannot work. */
export function normalise(args: PostgresHAArgs): NormalisedArgs {
    const { stack, cluster = defaults.cluster, backup } = args;
    const normalised: NormalisedArgs = {
        stack,
        cluster,
        machines: args.machines,
        kubernetes: { ...defaults.kubernetes, ...args.kubernetes },
        etcd: { ...defaults.etcd, ...args.etcd },
        postgres: { ...defaults.postgres, ...args.postgres },
        haproxy: { ...defaults.haproxy, ...args.haproxy },
        database: { ...defaults.database, ...args.database },
        recovery: { objective: { ...defaults.recovery.objective, ...args.recovery?.objective } },
        protectData: args.protectData ?? defaults.protectData,
        ...(backup && {
            backup: normaliseBackup(backup, {
                stack,
                cluster,
                storage: args.postgres?.storage ?? defaults.postgres.storage,
            }),
        }),
        ...(args.restore && { restore: args.restore }),
        ...(args.packagesAsOf !== undefined && { packagesAsOf: args.packagesAsOf }),
    };
    refuse("PostgresHA", postgresHAProblems(normalised));
    return normalised;
}
