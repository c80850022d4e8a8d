/** Names, labels and ports of everything the stack creates; what runs inside an image spells its own ports out. */

export const ports = {
    ssh: 22,
    kubernetes: 6443,
    kubelet: 10250,
    /** Read-write entry on every node (HAProxy), and PostgreSQL itself in its pod. */
    readWrite: 5432,
    /** Read-only entry on every node (HAProxy). */
    readOnly: 5433,
    postgresql: 5432,
    patroni: 8008,
    /** Whether an instance can still do its work, for the kubelet (patroni/image/bin/fence). */
    fence: 8009,
    haproxyStats: 8404,
    etcdClient: 2379,
    etcdPeer: 2380,
    etcdMetrics: 2381,
    /** `pgbackrest server` beside each instance. */
    pgBackRest: 8432,
    /** The backup runner's API. */
    backupRunner: 8433,
    /** HTTPS of the object store that the docker provider of backup.repository makes. */
    objectStore: 9000,
} as const;

/** Labels on every container, volume and network of a docker stack. */
export const dockerLabels = {
    stack: "postgres-ha.stack",
    machine: "postgres-ha.machine",
    /** Instead of `machine` on the object store: no node, and no holder of a copy of the database. */
    store: "postgres-ha.store",
} as const;

/** Kubernetes label keys (recommended set, kubernetes.io/docs common labels). */
export function labels(cluster: string, component: string): Record<string, string> {
    return {
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/part-of": "postgres-ha",
    };
}

/** The same for kubectl's `--selector`. */
export const labelSelector = (cluster: string, component: string): string =>
    Object.entries(labels(cluster, component))
        .map(([key, value]) => `${key}=${value}`)
        .join(",");

/** Namespace of etcd and PostgreSQL: restricted pod security. */
export const databaseNamespace = (cluster: string): string => cluster;
/** Namespace of HAProxy, whose host ports the restricted level forbids, and of the `-rw` and `-ro` Services. */
export const proxyNamespace = (cluster: string): string => `${cluster}-proxy`;

export const etcdMemberName = (cluster: string, index: number): string => `${cluster}-etcd-${index}`;
export const instanceName = (cluster: string, index: number): string => `${cluster}-${index}`;
export const readWriteService = (cluster: string): string => `${cluster}-rw`;
export const backupRunnerName = (cluster: string): string => `${cluster}-backup`;
export const readOnlyService = (cluster: string): string => `${cluster}-ro`;

/** Containers and volumes of the docker machine provider; the dot keeps `a-b`/`c` and `a`/`b-c` apart. */
export const dockerName = (stack: string, machine: string): string => `postgres-ha-${stack}.${machine}`;
export const dockerNetworkName = (stack: string): string => `postgres-ha-${stack}`;
/** Volume with the buckets of the object store; not named after its machine, which may be renamed. */
export const objectStoreVolume = (stack: string): string => `postgres-ha-${stack}.objects`;

/** PostgreSQL setting by which an instance tells its name to any client: `show postgresha.instance` (start-instance). */
export const instanceSetting = "postgresha.instance";

/** Key prefix of the cluster in etcd: Patroni's namespace and scope. */
export const patroniScope = (cluster: string): string => cluster;
export const patroniPrefix = "/service/";
/** What all keys of one cluster begin with. */
export const keyPrefix = (cluster: string): string => `${patroniPrefix}${patroniScope(cluster)}/`;
