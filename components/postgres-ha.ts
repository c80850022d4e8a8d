import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { EtcdCluster } from "./etcd/etcd-cluster";
import { Haproxy } from "./haproxy/haproxy";
import { Images } from "./images/images";
import { K3sCluster } from "./k3s/k3s-cluster";
import { DockerMachines } from "./machines/docker/docker-machines";
import { ExistingMachines } from "./machines/existing/existing-machines";
import type { Machine } from "./machines/machine";
import { databaseNamespace, instanceName, ports, proxyNamespace, readOnlyService, readWriteService } from "./naming";
import { PgBackRest } from "./pgbackrest/pgbackrest";
import { PatroniCluster } from "./patroni/patroni-cluster";
import { PatroniState } from "./patroni/patroni-state";
import type { ClusterStatus } from "./patroni/cluster.step";
import { normalise, type NormalisedArgs, type PostgresHAArgs } from "./postgres-ha-args";
import { deriveTimers } from "./recovery";
import { inCluster, type WorkloadContext } from "./workload";

export interface Endpoints {
    /** `address:port` of every read-write entry; each leads to the primary. */
    readWrite: string[];
    /** `address:port` of every read-only entry; each leads to a replica, or the primary while none is fit. */
    readOnly: string[];
    /** HAProxy's own pages, one per node. */
    statistics: string[];
    /** Entries for applications inside the cluster. */
    services: { readWrite: string; readOnly: string };
}

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
    /** libpq URI of the read-write entries, `sslmode=verify-full`; a secret. */
    readonly connectionString: pulumi.Output<string>;
    /** libpq URI of the read-only entries; a secret. */
    readonly readOnlyConnectionString: pulumi.Output<string>;
    /** PEM of the authority to verify PostgreSQL with (`sslrootcert`). */
    readonly caCertificate: pulumi.Output<string>;
    readonly endpoints: Endpoints;
    /** Administrator's access to the Kubernetes cluster; a secret. */
    readonly kubeconfig: pulumi.Output<string>;
    /** What was seen when the stack was last updated or refreshed; `make status` looks now. */
    readonly status: pulumi.Output<ClusterStatus>;

    constructor(name: string, args: PostgresHAArgs, opts?: pulumi.ComponentResourceOptions) {
        // Before anything is registered: a refused input leaves no trace.
        const input = normalise(args);
        super("postgresha:index:PostgresHA", name, {}, opts);
        const timers = deriveTimers(input.recovery.objective);

        const { machines, owner } = createMachines(name, input, this);
        const servers = machines.slice(0, input.kubernetes.servers);
        const k3s = createKubernetes(name, input, servers, machines.slice(servers.length), owner, this);
        const images = createImages(name, machines, k3s, this);
        const { database, proxy } = createNamespaces(name, input, k3s, images, this);
        const etcd = new EtcdCluster(
            `${name}-etcd`,
            {
                context: database,
                cluster: input.cluster,
                image: images.references.etcd,
                ...input.etcd,
                ...timers.etcd,
                serviceCidr: input.kubernetes.serviceCidr,
            },
            { parent: this },
        );
        const pgBackRest = createBackup(name, input, database, this);
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
                etcd: { hosts: etcd.hosts, authority: etcd.authority, ready: etcd.statefulSet },
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
                machines: machines.map(({ instance }) => instance),
            },
            { parent: this, dependsOn: [patroni.statefulSet, haproxy.daemonSet], deletedWith: k3s },
        );

        this.endpoints = createEndpoints(input, machines);
        this.connectionString = connectionString(input, this.endpoints.readWrite, patroni.ownerPassword, state);
        this.readOnlyConnectionString = connectionString(input, this.endpoints.readOnly, patroni.ownerPassword, state);
        this.caCertificate = patroni.serverAuthority;
        this.kubeconfig = k3s.kubeconfig;
        this.status = state.status;
        this.registerOutputs({ endpoints: this.endpoints, status: this.status });
    }
}

function createMachines(
    name: string,
    { stack, machines }: NormalisedArgs,
    parent: pulumi.Resource,
): { machines: Machine[]; owner?: pulumi.Resource } {
    switch (machines.provider) {
        case "docker": {
            const made = new DockerMachines(`${name}-machines`, { stack, ...machines }, { parent });
            return { machines: made.machines, owner: made };
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
        { ...input.kubernetes, servers, agents, apiAddress, machinesOwner },
        { parent },
    );
}

function createImages(name: string, machines: Machine[], k3s: K3sCluster, parent: pulumi.Resource): Images {
    const nodes = machines.flatMap((machine, index) => {
        const node = k3s.nodes[index];
        return node ? [{ machine, node }] : [];
    });
    return new Images(`${name}-images`, { nodes }, { parent });
}

/** Restricted for the database; the proxies' host ports need a namespace of their own. */
function createNamespaces(
    name: string,
    { cluster }: NormalisedArgs,
    k3s: K3sCluster,
    images: Images,
    parent: pulumi.Resource,
): { database: WorkloadContext; proxy: WorkloadContext } {
    const context = (suffix: string, namespace: string, level: string): WorkloadContext => {
        const base = { provider: k3s.provider, cluster: k3s };
        const made = new kubernetes.core.v1.Namespace(
            `${name}-${suffix}`,
            {
                metadata: {
                    name: namespace,
                    labels: {
                        "pod-security.kubernetes.io/enforce": level,
                        "pod-security.kubernetes.io/warn": "restricted",
                    },
                },
            },
            // Everything in a namespace waits for it, and so for the images on every node.
            { ...inCluster(parent, { ...base, namespace }), dependsOn: images.present },
        );
        return { ...base, namespace: made.metadata.name };
    };
    return {
        database: context("namespace", databaseNamespace(cluster), "restricted"),
        proxy: context("proxy-namespace", proxyNamespace(cluster), "privileged"),
    };
}

function createBackup(
    name: string,
    { cluster, backup, restore, postgres }: NormalisedArgs,
    context: WorkloadContext,
    parent: pulumi.Resource,
): PgBackRest | undefined {
    const instances = Array.from({ length: postgres.instances }, (_, index) => instanceName(cluster, index));
    return backup && new PgBackRest(`${name}-pgbackrest`, { context, cluster, backup, restore, instances }, { parent });
}

/** Every name under which a client may reach PostgreSQL, for `sslmode=verify-full`. */
function serverNames({ cluster }: NormalisedArgs, machines: Machine[]): { dnsNames: string[]; ipAddresses: string[] } {
    const addresses = [...new Set(machines.flatMap(({ address, privateAddress }) => [address, privateAddress]))];
    const isAddress = (text: string) => /^[\d.]+$/.test(text) || text.includes(":");
    const services = [readWriteService(cluster), readOnlyService(cluster)];
    const namespace = proxyNamespace(cluster);
    return {
        dnsNames: [
            ...machines.map((machine) => machine.name),
            ...addresses.filter((address) => !isAddress(address)),
            ...services.flatMap((service) =>
                ["", `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(
                    (end) => service + end,
                ),
            ),
        ],
        ipAddresses: addresses.filter(isAddress),
    };
}

function createEndpoints({ cluster }: NormalisedArgs, machines: Machine[]): Endpoints {
    const at = (port: number) => machines.map(({ address }) => `${address}:${port}`);
    const namespace = proxyNamespace(cluster);
    return {
        readWrite: at(ports.readWrite),
        readOnly: at(ports.readOnly),
        statistics: at(ports.haproxyStats).map((host) => `http://${host}/`),
        services: {
            readWrite: `${readWriteService(cluster)}.${namespace}.svc.cluster.local:${ports.postgresql}`,
            readOnly: `${readOnlyService(cluster)}.${namespace}.svc.cluster.local:${ports.postgresql}`,
        },
    };
}

/** Known only when the cluster serves: an application never gets a string that does not work yet. */
const connectionString = (
    { database }: NormalisedArgs,
    hosts: string[],
    password: pulumi.Output<string>,
    ready: PatroniState,
): pulumi.Output<string> =>
    pulumi.secret(
        pulumi
            .all([password, ready.id])
            .apply(
                ([known]) =>
                    `postgresql://${database.owner}:${known}@${hosts.join(",")}/${database.name}?sslmode=verify-full`,
            ),
    );
