import type * as pulumi from "@pulumi/pulumi";
import { instanceName } from "../naming";
import type { PatroniCluster } from "../patroni/patroni-cluster";
import type { NormalisedArgs } from "../postgres-ha-args";
import type { WorkloadContext } from "../workload";
import { BackupRunner } from "./backup-runner";
import { PgBackRest } from "./pgbackrest";
import type { Repository } from "./repository";

/** What the instances need before they start; undefined in a stack without backups. */
export function createPgBackRest(
    name: string,
    { cluster, backup, restore, postgres }: NormalisedArgs,
    repository: Repository | undefined,
    context: WorkloadContext,
    parent: pulumi.Resource,
): PgBackRest | undefined {
    if (!backup || !repository) {
        return undefined;
    }
    const instances = Array.from({ length: postgres.instances }, (_, index) => instanceName(cluster, index));
    return new PgBackRest(
        `${name}-pgbackrest`,
        { context, cluster, backup, repository, restore, instances },
        { parent },
    );
}

export function createBackupRunner(
    name: string,
    { cluster, backup }: NormalisedArgs,
    { repository, pgBackRest, patroni, image, context }: BackupRunnerParts,
    parent: pulumi.Resource,
): BackupRunner | undefined {
    const { instances, patroniAuthority } = patroni;
    return (
        backup &&
        repository &&
        pgBackRest &&
        new BackupRunner(
            `${name}-backup`,
            { context, cluster, image, backup, repository, pgBackRest, instances, patroniAuthority },
            { parent },
        )
    );
}

export interface BackupRunnerParts {
    context: WorkloadContext;
    image: string;
    repository?: Repository;
    pgBackRest?: PgBackRest;
    patroni: PatroniCluster;
}
