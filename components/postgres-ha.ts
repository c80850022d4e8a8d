import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { allowedClients, connectionString, createEndpoints, serverNames, type Endpoints } from "./entries";
import { EtcdCluster } from "./etcd/etcd-cluster";
import { Haproxy } from "./haproxy/haproxy";
import { Images } from "./images/images";
import { K3sCluster, K3sRoster } from "./k3s/k3s-cluster";
import type { DockerHost } from "./machines/docker/docker-machine";
import { DockerMachines } from "./machines/docker/docker-machines";
import { ExistingMachines } from "./machines/existing/existing-machines";
import type { Machine } from "./machines/machine";
import { NetworkPolicies } from "./network-policies";
import { databaseNamespace, proxyNamespace } from "./naming";
import { normalise } from "./normalise";
import { PatroniCluster } from "./patroni/patroni-cluster";
import { PatroniState } from "./patroni/patroni-state";
import type { ClusterStatus } from "./patroni/until-whole";
import { createBackupRepository, type BackupRepository } from "./pgbackrest/backup-repository";
import { createBackupRunner, createPgBackRest, type BackupOutput } from "./pgbackrest/backups";
import type { NormalisedArgs, PostgresHAArgs } from "./postgres-ha-args";
import { deriveTimers } from "./recovery";
import { applied, holdsData, inCluster, type WorkloadContext } from "./workload";

/**
 * A highly available PostgreSQL from machine to connection string: machines, k3s, etcd, PostgreSQL under Patroni
 * with strict synchronous replication, and HAProxy on every node.
 *
 * @example
 * const postgres = new PostgresHA("postgres", {
 *     stack: "dev",
 *     machines: { provider: "docker", subnet: "10.210.0.0/24", machines: [{ name: "machine-1", address: "10.210.0.11" }, ...] },
 * });
 * export const connectionString = postgres.connectionString;
 */
export class PostgresHA extends pulumi.ComponentResource {
    /** libpq URI of the read-write entries, `sslmode=verify-full`, each tried for 3 s; a secret. */
    readonly connectionString: pulumi.Output<string>;
    /** libpq URI of the read-only entries, likewise; a secret. */
    readonly readOnlyConnectionString: pulumi.Output<string>;
    /** PEM of the authority to verify PostgreSQL with (`sslrootcert`). */
    readonly caCertificate: pulumi.Output<string>;
    readonly endpoints: Endpoints;
    /** Administrator's access to the Kubernetes cluster; a secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** What was seen when the stack was last updated or refreshed; `make status` looks now. */
    readonly status: pulumi.Output<ClusterStatus>;
    /** Where the backups are and up to when the data can be recovered; undefined in a stack without backups. */
    readonly backup?: BackupOutput;

    constructor(name: string, args: PostgresHAArgs, opts?: pulumi.ComponentResourceOptions) {
        // Before anything is registered: a refused input leaves no trace.
        const input = normalise(args);
        super("postgresha:index:PostgresHA", name, {}, opts);
        const timers = deriveTimers(input.recovery.objective);

        const { machines, owner, host } = createMachines(name, input, this);
        const servers = machines.slice(0, input.kubernetes.servers);
        const k3s = createKubernetes(name, input, servers, machines.slice(servers.length), owner, this);
        const images = createImages(name, input, machines, k3s, this);
        const roster = new K3sRoster(
            `${name}-roster`,
            { members: machines, servers },
            { parent: this, dependsOn: images.present, deletedWith: k3s },
        );
        const backup = createBackup(name, input, { machines, host, images }, this);
        const { database, proxy } = createNamespaces(name, input, k3s, [roster, ...backup.ready], this);
        new NetworkPolicies(`${name}-network`, { context: database, cluster: input.cluster }, { parent: this });
        const etcd = new EtcdCluster(
            `${name}-etcd`,
            {
                context: database,
                cluster: input.cluster,
                image: images.references.etcd,
                ...input.etcd,
                ...timers.etcd,
                servers,
                serviceCidr: input.kubernetes.serviceCidr,
            },
            { parent: this },
        );
        const usesBackups = { ...backup, image: images.references.patroni, context: database, servers };
        const pgBackRest = createPgBackRest(name, input, { ...usesBackups, machines }, this);
        const patroni = new PatroniCluster(
            `${name}-patroni`,
            {
                context: database,
                cluster: input.cluster,
                image: images.references.patroni,
                ...input.postgres,
                database: input.database,
                timers,
                backup: pgBackRest?.instance,
                serviceCidr: input.kubernetes.serviceCidr,
                etcd: { hosts: etcd.hosts, authority: etcd.authority, ready: etcd.ready },
                serverNames: serverNames(input, machines),
            },
            { parent: this },
        );
        const haproxy = new Haproxy(
            `${name}-haproxy`,
            {
                context: proxy,
                cluster: input.cluster,
                image: images.references.haproxy,
                instances: patroni.instances,
                patroniAuthority: patroni.patroniAuthority,
                timers: timers.haproxy,
                maxConnections: input.postgres.maxConnections,
                ...input.haproxy,
                allowedClients: allowedClients(input, machines),
            },
            { parent: this },
        );
        const state = new PatroniState(
            `${name}-state`,
            {
                cluster: input.cluster,
                namespace: databaseNamespace(input.cluster),
                instances: patroni.instances.map((instance) => instance.name),
                dynamicConfig: patroni.dynamicConfig,
                servers,
                template: patroni.statefulSet.metadata.generation.apply(String),
                owner: pulumi.secret({ name: input.database.owner, password: patroni.ownerPassword }),
                proxies: {
                    namespace: proxyNamespace(input.cluster),
                    name: haproxy.daemonSet.metadata.name,
                    generation: haproxy.daemonSet.metadata.generation.apply(String),
                    nodes: machines.map((machine) => machine.name),
                },
                machines: machines.map(({ instance }) => instance),
                ...(input.backup && {
                    rebirth: { generation: input.restore?.generation ?? 0, etcdMembers: etcd.members },
                }),
            },
            { parent: this, dependsOn: [patroni.statefulSet, haproxy.daemonSet], deletedWith: k3s },
        );

        this.endpoints = createEndpoints(input, machines);
        this.connectionString = connectionString(input, this.endpoints, "readWrite", patroni.ownerPassword, state);
        this.readOnlyConnectionString = connectionString(
            input,
            this.endpoints,
            "readOnly",
            patroni.ownerPassword,
            state,
        );
        this.caCertificate = patroni.serverAuthority;
        this.kubeconfig = k3s.kubeconfig;
        this.status = state.status;
        this.backup = createBackupRunner(name, input, { ...usesBackups, pgBackRest, patroni, state }, this);
        this.registerOutputs({ endpoints: this.endpoints, status: this.status });
    }
}

function createMachines(
    name: string,
    { stack, machines }: NormalisedArgs,
    parent: pulumi.Resource,
): { machines: Machine[]; owner?: pulumi.Resource; host?: DockerHost } {
    switch (machines.provider) {
        case "docker": {
            const made = new DockerMachines(`${name}-machines`, { stack, ...machines }, { parent });
            return { machines: made.machines, owner: made, host: made.host };
        }
        case "existing":
            return { machines: new ExistingMachines(`${name}-machines`, machines, { parent }).machines };
    }
}

function createKubernetes(
    name: string,
    input: NormalisedArgs,
    servers: Machine[],
    agents: Machine[],
    machinesOwner: pulumi.Resource | undefined,
    parent: pulumi.Resource,
): K3sCluster {
    const apiAddress = input.kubernetes.apiAddress ?? servers[0]?.address ?? "";
    return new K3sCluster(
        `${name}-k3s`,
        { ...input.kubernetes, servers, agents, apiAddress, machinesOwner, protectData: input.protectData },
        { parent },
    );
}

function createImages(
    name: string,
    { packagesAsOf }: NormalisedArgs,
    machines: Machine[],
    k3s: K3sCluster,
    parent: pulumi.Resource,
): Images {
    const nodes = machines.flatMap((machine, index) => {
        const node = k3s.nodes[index];
        return node ? [{ machine, node }] : [];
    });
    return new Images(`${name}-images`, { nodes, packagesAsOf }, { parent });
}

/** Nothing to wait for without backups. */
function createBackup(
    name: string,
    { backup }: NormalisedArgs,
    { machines, host, images }: { machines: Machine[]; host?: DockerHost; images: Images },
    parent: pulumi.Resource,
): Partial<BackupRepository> & Pick<BackupRepository, "ready"> {
    if (backup === undefined) {
        return { ready: [] };
    }
    const image = { reference: images.references.patroni, present: images.present };
    return createBackupRepository(name, { repository: backup.repository, machines, host, image }, parent);
}

/** Restricted for the database; the proxies' host ports need a namespace of their own. */
function createNamespaces(
    name: string,
    { cluster, protectData }: NormalisedArgs,
    k3s: K3sCluster,
    after: pulumi.Resource[],
    parent: pulumi.Resource,
): { database: WorkloadContext; proxy: WorkloadContext } {
    const context = (suffix: string, namespace: string, level: string): WorkloadContext => {
        // The proxies hold nothing.
        const base = { provider: k3s.provider, cluster: k3s, protectData: protectData && suffix === "namespace" };
        const made = new kubernetes.core.v1.Namespace(
            `${name}-${suffix}`,
            {
                metadata: {
                    name: namespace,
                    annotations: applied,
                    labels: {
                        "pod-security.kubernetes.io/enforce": level,
                        "pod-security.kubernetes.io/warn": "restricted",
                    },
                },
            },
            // Everything in a namespace waits for it: for the images on every node, for a repository that works.
            { ...inCluster(parent, { ...base, namespace }), ...holdsData(base), dependsOn: after },
        );
        return { ...base, namespace: made.metadata.name };
    };
    return {
        database: context("namespace", databaseNamespace(cluster), "restricted"),
        proxy: context("proxy-namespace", proxyNamespace(cluster), "privileged"),
    };
}
