import type * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../machines/machine";
import { instanceName } from "../naming";
import type { PatroniCluster } from "../patroni/patroni-cluster";
import type { PatroniState } from "../patroni/patroni-state";
import type { NormalisedArgs } from "../postgres-ha-args";
import type { WorkloadContext } from "../workload";
import { BackupRunner, describeRepository } from "./backup-runner";
import { BackupState } from "./backup-state";
import { KeptPassphrase, PgBackRest, type PgBackRestArgs } from "./pgbackrest";
import type { Repository } from "./repository";

export interface BackupOutput {
    stanza: string;
    /** `s3://bucket/path at host:port`. */
    repository: string;
    /** Encrypts the repository; keep a copy outside of this stack and its state. A secret. */
    passphrase: pulumi.Output<string>;
    /** ISO 8601; empty while there is no backup to begin with. As seen when the stack was last updated or refreshed; `make status` looks now. */
    latestRecoverableTime: pulumi.Output<string>;
}

export interface PgBackRestParts extends Pick<PgBackRestArgs, "context" | "image" | "machines" | "servers"> {
    repository?: Repository;
}

/** What the instances need before they start; undefined in a stack without backups. */
export function createPgBackRest(
    name: string,
    { cluster, backup, restore, postgres }: NormalisedArgs,
    { repository, ...parts }: PgBackRestParts,
    parent: pulumi.Resource,
): PgBackRest | undefined {
    if (!backup || !repository) {
        new KeptPassphrase(`${name}-pgbackrest`, { parent });
        return undefined;
    }
    const instances = Array.from({ length: postgres.instances }, (_, index) => instanceName(cluster, index));
    return new PgBackRest(
        `${name}-pgbackrest`,
        { ...parts, cluster, backup, repository, restore, instances },
        { parent },
    );
}

export interface BackupRunnerParts {
    context: WorkloadContext;
    image: string;
    repository?: Repository;
    pgBackRest?: PgBackRest;
    patroni: PatroniCluster;
    /** Servers through which the cluster can be asked. */
    servers: Machine[];
    /** The running cluster: backups begin when there is a primary. */
    state: PatroniState;
}

/** The runner, and what was seen of it when the first segment had arrived; undefined in a stack without backups. */
export function createBackupRunner(
    name: string,
    { cluster, backup }: NormalisedArgs,
    { repository, pgBackRest, patroni, image, context, servers, state }: BackupRunnerParts,
    parent: pulumi.Resource,
): BackupOutput | undefined {
    if (!backup || !repository || !pgBackRest) {
        return undefined;
    }
    const { instances, patroniAuthority } = patroni;
    const runner = new BackupRunner(
        `${name}-backup`,
        { context, cluster, image, backup, repository, pgBackRest, instances, patroniAuthority },
        { parent },
    );
    const seen = new BackupState(
        `${name}-backup-state`,
        {
            cluster,
            namespace: context.namespace,
            repository: describeRepository(repository),
            runner: runner.deployment.metadata.generation.apply(String),
            servers,
        },
        { parent, dependsOn: [runner.deployment, state], deletedWith: context.cluster },
    );
    return {
        stanza: pgBackRest.stanza,
        repository: describeRepository(repository),
        passphrase: pgBackRest.passphrase,
        latestRecoverableTime: seen.status.latestRecoverableTime,
    };
}
