import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels, ports } from "../naming";
import {
    metadataOf,
    onePerNode,
    ownImage,
    resources,
    restrictedContainer,
    restrictedPod,
    skipAwait,
    stayForever,
} from "../workload";
import { agentContainer, backupEnvironment, backupMounts, backupVolumes } from "./instance-backup";
import { paths } from "./config";
import type { PatroniClusterArgs } from "./patroni-cluster-args";

export interface InstanceInputs {
    instances: { name: string; address: string }[];
    config: kubernetes.core.v1.ConfigMap;
    /** Digest of the configuration without its dynamic part. */
    configDigest: string;
    credentials: kubernetes.core.v1.Secret;
    tls: kubernetes.core.v1.Secret;
    etcdTls: kubernetes.core.v1.Secret;
}

/**
 * Of connections that nothing else watches: pg_basebackup and pg_rewind only read, and when the machine of their source vanishes
 * they would wait for as long as the kernel's default, more than two hours. Then after 25 s.
 */
const keepalive = [
    { name: "net.ipv4.tcp_keepalive_time", value: "10" },
    { name: "net.ipv4.tcp_keepalive_intvl", value: "5" },
    { name: "net.ipv4.tcp_keepalive_probes", value: "3" },
];

/** The pods of the instances, each bound to one node and its local volume. */
export function createInstances(
    name: string,
    args: PatroniClusterArgs,
    inputs: InstanceInputs,
    opts: pulumi.CustomResourceOptions,
): kubernetes.apps.v1.StatefulSet {
    const podLabels = labels(args.cluster, "postgresql");
    return new kubernetes.apps.v1.StatefulSet(
        `${name}-instances`,
        {
            // PatroniState waits instead: with OnDelete it must restart outdated pods before they get ready.
            metadata: metadataOf("postgresql")(args, args.cluster, skipAwait),
            spec: {
                serviceName: args.cluster,
                replicas: args.instances,
                podManagementPolicy: "Parallel",
                // A rolling update would restart by ordinal, the primary somewhere in the middle.
                updateStrategy: { type: "OnDelete" },
                selector: { matchLabels: podLabels },
                persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
                template: {
                    metadata: {
                        labels: podLabels,
                        // What Patroni reads only when it starts; its dynamic part is applied without a restart.
                        annotations: { "postgres-ha/config": inputs.configDigest },
                    },
                    spec: {
                        automountServiceAccountToken: false,
                        enableServiceLinks: false,
                        // Fast shutdown, the last WAL to the standby, hand-over of the lock; then it is killed.
                        terminationGracePeriodSeconds: args.timers.patroni.primaryStopTimeout + 20,
                        affinity: onePerNode(podLabels),
                        tolerations: stayForever,
                        securityContext: restrictedPod(999, { sysctls: keepalive }),
                        containers: [
                            container(args, inputs),
                            ...(args.backup ? [agentContainer(args, args.backup)] : []),
                        ],
                        volumes: [
                            { name: "config", configMap: { name: inputs.config.metadata.name } },
                            { name: "tls", secret: { secretName: inputs.tls.metadata.name, defaultMode: 0o440 } },
                            {
                                name: "tls-etcd",
                                secret: { secretName: inputs.etcdTls.metadata.name, defaultMode: 0o440 },
                            },
                            // PostgreSQL's shared memory segments; the runtime's default of 64 MiB is too small, and
                            // the race for the leader lock needs it writable.
                            { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: "512Mi" } },
                            { name: "socket", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                            { name: "tmp", emptyDir: { sizeLimit: "256Mi" } },
                            ...(args.backup ? backupVolumes(args.backup) : []),
                        ],
                    },
                },
                volumeClaimTemplates: [
                    {
                        metadata: { name: "data" },
                        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: args.storage } } },
                    },
                ],
            },
        },
        opts,
    );
}

/**
 * Ends an instance that hangs, so that another takes over (image/bin/fence). Six refusals in a row, after the fence's own
 * limits of seconds: a starved host answers late now and then, a hanging one never. Then SIGKILL soon: what hangs does not
 * stop by itself, and until it is gone Patroni keeps the leader's lock.
 */
const fence: kubernetes.types.input.core.v1.Probe = {
    httpGet: { path: "/", port: ports.fence },
    periodSeconds: 1,
    timeoutSeconds: 2,
    failureThreshold: 6,
    terminationGracePeriodSeconds: 2,
};

function container(args: PatroniClusterArgs, inputs: InstanceInputs): kubernetes.types.input.core.v1.Container {
    const api = (path: string) => ({ httpGet: { path, port: ports.patroni, scheme: "HTTPS" } });
    return {
        name: "postgresql",
        ...ownImage(args.image),
        env: [
            { name: "INSTANCE_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            { name: "INSTANCE_ADDRESSES", value: inputs.instances.map(({ address }) => address).join(" ") },
            { name: "APP_USER", value: args.database.owner },
            { name: "APP_DATABASE", value: args.database.name },
            ...(args.backup ? backupEnvironment(args.backup) : []),
        ],
        envFrom: [{ secretRef: { name: inputs.credentials.metadata.name } }],
        ports: [
            { name: "postgresql", containerPort: ports.postgresql },
            { name: "patroni", containerPort: ports.patroni },
        ],
        resources: resources(args.resources),
        securityContext: restrictedContainer,
        startupProbe: { ...api("/liveness"), periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 150 },
        readinessProbe: { ...api("/readiness"), periodSeconds: 2, timeoutSeconds: 2 },
        livenessProbe: fence,
        volumeMounts: [
            { name: "data", mountPath: "/data" },
            { name: "config", mountPath: "/etc/patroni", readOnly: true },
            { name: "tls", mountPath: paths.tls, readOnly: true },
            { name: "tls-etcd", mountPath: paths.etcdTls, readOnly: true },
            { name: "shared-memory", mountPath: "/dev/shm" },
            { name: "socket", mountPath: paths.socket },
            { name: "tmp", mountPath: "/tmp" },
            ...(args.backup ? backupMounts : []),
        ],
    };
}
