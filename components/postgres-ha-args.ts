import type { MachinesArgs } from "./machines/machines-args";
import type { BackupArgs, NormalisedBackup } from "./pgbackrest/backup-args";
import type { RestoreArgs } from "./pgbackrest/restore";
import type { RecoveryObjective } from "./recovery";
import type { Resources } from "./workload";

export interface KubernetesArgs {
    /** How many of the machines, from the first, run the control plane: 3, 5 or 7. @default 3 */
    servers?: number;
    /** Addresses of pods. A change makes the cluster anew. @default 10.42.0.0/16 */
    podCidr?: string;
    /** Addresses of Services. A change makes the cluster anew. @default 10.43.0.0/16 */
    serviceCidr?: string;
    /** Interface of the private network, when it is not the one that has `privateAddress`. */
    interface?: string;
    /** Address of the API server to deploy through. @default the first server */
    apiAddress?: string;
}

export interface EtcdArgs {
    /** Odd, at least 3, at most one per machine. @default 3 */
    members?: number;
    /**
     * Size of each member's volume, as first asked for. A change touches neither the members nor their volumes, and those
     * of later members get the first size. k3s's local volumes have the room of their disk whatever it says; on a storage
     * class that can, enlarge the claims by hand. @default 2Gi
     */
    storage?: string;
    /** @default { cpu: "100m", memory: "256Mi" } */
    resources?: Resources;
}

export interface PostgresArgs {
    /** PostgreSQL instances, 3 to 9, one per machine: one primary, the others replicas. @default 3 */
    instances?: number;
    /**
     * Replicas that must have an acknowledged write besides the primary, as far as they stream: one at the least, whatever is
     * lost. @default 1
     */
    synchronousStandbyCount?: number;
    /** Size of each instance's volume, as first asked for; a change is as one of `etcd.storage`. @default 10Gi */
    storage?: string;
    /** PostgreSQL's `shared_buffers`. A change restarts the instances one by one, with a switchover. @default 256MB */
    sharedBuffers?: string;
    /**
     * PostgreSQL's `max_connections`. Raised, the instances restart one by one, with a switchover; lowered, the primary
     * restarts in place first (seconds without writes). @default 200
     */
    maxConnections?: number;
    /** Further PostgreSQL parameters. A change is a reload, for some a restart as with those above. @default none */
    parameters?: Record<string, string>;
    /** @default { cpu: "500m", memory: "1536Mi" } */
    resources?: Resources;
}

export interface DatabaseArgs {
    /** @default app */
    name?: string;
    /** @default app */
    owner?: string;
    /**
     * Another number makes another password for the owner: in the database, and in the stack's outputs. Sessions go on; new ones
     * need it from then on. @default 1
     */
    passwordGeneration?: number;
}

export interface HaproxyInputs {
    /** A replica further behind than this gets no reads; with PostgreSQL's units. @default 16MB */
    maximumReplicaLag?: string;
    /**
     * Who may connect to the entries and to the statistics, as IPv4 blocks (`10.20.0.0/16`, `10.20.0.7/32`). What runs in the cluster
     * or on its machines always may; everybody else is cut off before a byte is read. Those who run `make status` or the
     * drills have to be in it, and so have addresses of machines that are not in the settings, as where `address` is a name. A
     * firewall of the host does not see these ports. A change restarts the proxies one by one, and so does, with it, another machine.
     * @default everybody: passwords, TLS and pg_hba decide alone
     */
    allowedClients?: string[];
    /** @default { cpu: "250m", memory: "128Mi" }. Every statement passes it: beside a busy PostgreSQL it must not wait. */
    resources?: Resources;
}

export interface PostgresHAArgs {
    /** Name of the stack: part of the names and labels of what the docker provider creates. */
    stack: string;
    /** Name of the database cluster and of its namespace. A change makes it anew. @default postgres */
    cluster?: string;
    machines: MachinesArgs;
    kubernetes?: KubernetesArgs;
    etcd?: EtcdArgs;
    postgres?: PostgresArgs;
    haproxy?: HaproxyInputs;
    /** The application's database and the role that owns it, made at the first start. */
    database?: DatabaseArgs;
    recovery?: { objective?: Partial<RecoveryObjective> };
    /**
     * The repository of backups and of the WAL archive, and what is done when. With it a cluster that has lost everything
     * is restored by the next update. Adding it restarts the instances one by one. @default none
     */
    backup?: BackupArgs;
    /**
     * A restore of the whole database to a moment, or from another stack's repository. Raising its `generation`, with the
     * token of the preview, replaces all data: everything after the target is left behind. @default none
     */
    restore?: RestoreArgs;
    /**
     * Refuse every update, and the stack's destruction, that would delete or replace what the data goes with: the
     * database's namespace, the set of its instances, and a living node that cannot be drained. To destroy it all the same: set it to false, update, destroy.
     * A change by itself costs nothing. @default false
     */
    protectData?: boolean;
    /**
     * Day of the Debian packages in the images, PostgreSQL's minor release and its security updates among them: `2026-11-29`. Another
     * day builds the images anew with the packages of now, and restarts etcd's members, the instances and the proxies one by
     * one, with one switchover. @default none: the packages of the first build, where the images are still there
     */
    packagesAsOf?: string;
}

/** The arguments with every default in place. */
export interface NormalisedArgs {
    stack: string;
    cluster: string;
    machines: MachinesArgs;
    kubernetes: Required<Omit<KubernetesArgs, "interface" | "apiAddress">> &
        Pick<KubernetesArgs, "interface" | "apiAddress">;
    etcd: Required<EtcdArgs>;
    postgres: Required<PostgresArgs>;
    haproxy: Required<Omit<HaproxyInputs, "allowedClients">> & Pick<HaproxyInputs, "allowedClients">;
    database: Required<DatabaseArgs>;
    recovery: { objective: RecoveryObjective };
    backup?: NormalisedBackup;
    restore?: RestoreArgs;
    protectData: boolean;
    packagesAsOf?: string;
}

/** Defaults, each with its reason. */
export const defaults: Omit<NormalisedArgs, "stack" | "machines"> = {
    cluster: "postgres",
    // Three of everything survive the loss of any one. CIDRs as k3s' own defaults.
    kubernetes: { servers: 3, podCidr: "10.42.0.0/16", serviceCidr: "10.43.0.0/16" },
    // A few keys and leases: megabytes of data, 2 GiB of quota.
    etcd: { members: 3, storage: "2Gi", resources: { cpu: "100m", memory: "256Mi" } },
    postgres: {
        instances: 3,
        // With one named standby the only machine that acknowledges is the one that is promoted.
        synchronousStandbyCount: 1,
        storage: "10Gi",
        sharedBuffers: "256MB",
        maxConnections: 200,
        parameters: {},
        // shared_buffers, 200 connections at ~3 MB, maintenance memory, Patroni.
        resources: { cpu: "500m", memory: "1536Mi" },
    },
    // 16 MB: one WAL segment.
    haproxy: { maximumReplicaLag: "16MB", resources: { cpu: "250m", memory: "128Mi" } },
    database: { name: "app", owner: "app", passwordGeneration: 1 },
    // 16 s: ttl 9, two more than the least, so that a starved host causes no failover (docs/decisions/018).
    recovery: { objective: { rto: 16, rpo: 0 } },
    // Whoever tries it out must get rid of it; the profiles for staging and production switch it on.
    protectData: false,
};
