import type * as kubernetes from "@pulumi/kubernetes";
import { ports } from "../naming";
import { backupPaths } from "../pgbackrest/config";
import type { InstanceBackup } from "../pgbackrest/pgbackrest";
import { ownImage, resources, restrictedContainer } from "../workload";
import { initdb, paths } from "./config";
import type { PatroniClusterArgs } from "./patroni-cluster-args";

/** What backups add to an instance's pod. Without backups the pod is as it would be without this file. */

type Volume = kubernetes.types.input.core.v1.Volume;
type Mount = kubernetes.types.input.core.v1.VolumeMount;
type Variable = kubernetes.types.input.core.v1.EnvVar;

export const backupVolumes = ({ config, tls, request }: InstanceBackup): Volume[] => [
    { name: "pgbackrest", secret: { secretName: config.metadata.name, defaultMode: 0o440 } },
    { name: "tls-backup", secret: { secretName: tls.metadata.name, defaultMode: 0o440 } },
    { name: "restore", configMap: { name: request.metadata.name } },
];

/** Of the instance itself. */
export const backupMounts: Mount[] = [
    { name: "pgbackrest", mountPath: backupPaths.config, readOnly: true },
    { name: "restore", mountPath: backupPaths.request, readOnly: true },
];

const repositoryVariables = ({ stanza, store }: InstanceBackup): Variable[] => [
    { name: "BACKUP_STANZA", value: stanza },
    { name: "STORE_HOST", value: store.host },
    { name: "STORE_PORT", value: String(store.port) },
];

export const backupEnvironment = (backup: InstanceBackup): Variable[] => [
    ...repositoryVariables(backup),
    { name: "INITDB_OPTIONS", value: JSON.stringify(initdbOptions()) },
];

/** Patroni's list as command line options. */
const initdbOptions = (): string[] =>
    initdb.map((option) => {
        const [name, value] = typeof option === "string" ? [option] : (Object.entries(option)[0] ?? []);
        return value === undefined ? `--${name}` : `--${name}=${value}`;
    });

/** Serves the runner, writes the canary row and watches the store; none of it can stop PostgreSQL. */
export const agentContainer = (
    args: PatroniClusterArgs,
    backup: InstanceBackup,
): kubernetes.types.input.core.v1.Container => ({
    name: "backup-agent",
    ...ownImage(args.image),
    command: ["backup-agent"],
    env: repositoryVariables(backup),
    ports: [{ name: "pgbackrest", containerPort: ports.pgBackRest }],
    // A backup reads, compresses and encrypts here: block maps and buffers of each process.
    resources: resources({ cpu: "50m", memory: "384Mi" }),
    securityContext: restrictedContainer,
    volumeMounts: [
        { name: "data", mountPath: "/data" },
        { name: "socket", mountPath: paths.socket },
        { name: "tmp", mountPath: "/tmp" },
        ...backupMounts,
        { name: "tls-backup", mountPath: backupPaths.tls, readOnly: true },
    ],
});
