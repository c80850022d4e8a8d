import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { textDigest } from "../content-digest";
import { backupRunnerName, labels, ports } from "../naming";
import { quantityBytes } from "../quantity";
import {
    inCluster,
    metadataOf,
    ownImage,
    resources,
    restrictedContainer,
    restrictedPod,
    skipAwait,
    type WorkloadContext,
} from "../workload";
import type { NormalisedBackup } from "./backup-args";
import { backupPaths } from "./config";
import type { PgBackRest } from "./pgbackrest";
import type { Repository } from "./repository";

export interface BackupRunnerArgs {
    context: WorkloadContext;
    cluster: string;
    /** The Patroni image: it holds pgBackRest, PostgreSQL for the restore test, and the runner. */
    image: string;
    backup: NormalisedBackup;
    repository: Repository;
    pgBackRest: PgBackRest;
    instances: { name: string; address: string }[];
    /** Authority of Patroni's REST API. */
    patroniAuthority: pulumi.Input<string>;
}

/**
 * The one runner of backups: a pod that holds no data of its own. What is due follows from the repository, so that it
 * can be moved or made anew at any time.
 */
export class BackupRunner extends pulumi.ComponentResource {
    /** Fixed address inside the cluster; `make status` and `make backup` ask there. */
    readonly service: kubernetes.core.v1.Service;
    readonly deployment: kubernetes.apps.v1.Deployment;

    constructor(name: string, args: BackupRunnerArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:pgbackrest:BackupRunner", name, {}, opts);
        const object = inCluster(this, args.context);
        this.service = createService(name, args, object);
        this.deployment = createDeployment(name, args, object);
        this.registerOutputs({});
    }
}

/** Not awaited: the first backup needs a primary, which other resources wait for. */
const metadata = (args: BackupRunnerArgs) =>
    metadataOf("backup-runner")(args, backupRunnerName(args.cluster), skipAwait);

const createService = (
    name: string,
    args: BackupRunnerArgs,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.Service =>
    new kubernetes.core.v1.Service(
        `${name}-service`,
        {
            metadata: metadata(args),
            spec: {
                selector: labels(args.cluster, "backup-runner"),
                ports: [{ name: "https", port: ports.backupRunner }],
            },
        },
        object,
    );

function createDeployment(
    name: string,
    args: BackupRunnerArgs,
    object: pulumi.CustomResourceOptions,
): kubernetes.apps.v1.Deployment {
    const { config, tls } = args.pgBackRest.runner;
    const podLabels = labels(args.cluster, "backup-runner");
    return new kubernetes.apps.v1.Deployment(
        `${name}-deployment`,
        {
            metadata: metadata(args),
            spec: {
                replicas: 1,
                // No second one beside the first, which would expire what that is making. `Recreate` would wait for a pod
                // on a machine that is off, with no runner at all.
                strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
                selector: { matchLabels: podLabels },
                template: {
                    metadata: { labels: podLabels },
                    spec: {
                        automountServiceAccountToken: false,
                        enableServiceLinks: false,
                        terminationGracePeriodSeconds: 5,
                        // It holds nothing: off a lost node soon.
                        tolerations: ["not-ready", "unreachable"].map((condition) => ({
                            key: `node.kubernetes.io/${condition}`,
                            operator: "Exists",
                            effect: "NoExecute",
                            tolerationSeconds: 15,
                        })),
                        // The certificates are for names; no DNS is needed for them.
                        hostAliases: args.instances.map(({ name: instance, address }) => ({
                            ip: address,
                            hostnames: [instance],
                        })),
                        securityContext: restrictedPod(999),
                        containers: [container(args)],
                        volumes: [
                            { name: "pgbackrest", secret: { secretName: config.metadata.name, defaultMode: 0o440 } },
                            { name: "tls", secret: { secretName: tls.metadata.name, defaultMode: 0o440 } },
                            { name: "tmp", emptyDir: { sizeLimit: "256Mi" } },
                            { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: "256Mi" } },
                            {
                                name: "restore-request",
                                configMap: { name: args.pgBackRest.instance.request.metadata.name },
                            },
                            { name: "scratch", emptyDir: { sizeLimit: args.backup.scratch } },
                        ],
                    },
                },
            },
        },
        object,
    );
}

const container = (args: BackupRunnerArgs): kubernetes.types.input.core.v1.Container => ({
    name: "runner",
    ...ownImage(args.image),
    command: ["backup-runner"],
    env: [
        { name: "BACKUP_STANZA", value: args.pgBackRest.stanza },
        { name: "BACKUP_SCHEDULE", value: JSON.stringify(args.backup.schedule) },
        { name: "SCRATCH_BYTES", value: String(quantityBytes(args.backup.scratch)) },
        { name: "REPOSITORY", value: describeRepository(args.repository) },
        { name: "PATRONI_ADDRESSES", value: args.instances.map(({ address }) => address).join(" ") },
        { name: "PATRONI_AUTHORITY", value: args.patroniAuthority },
        // Its certificate is read once: a new one is a new pod.
        { name: "CERTIFICATE", value: args.pgBackRest.runnerCertificate.apply((text) => textDigest(text)) },
    ],
    ports: [{ name: "https", containerPort: ports.backupRunner }],
    resources: resources(args.backup.resources),
    securityContext: restrictedContainer,
    startupProbe: { tcpSocket: { port: ports.backupRunner }, periodSeconds: 2, failureThreshold: 60 },
    // The loop touches its heartbeat every few seconds, whatever a job does.
    livenessProbe: {
        exec: { command: ["bash", "-c", "[ $(( $(date +%s) - $(stat -c %Y /tmp/heartbeat) )) -lt 300 ]"] },
        initialDelaySeconds: 60,
        periodSeconds: 60,
        timeoutSeconds: 10,
    },
    volumeMounts: [
        { name: "pgbackrest", mountPath: backupPaths.config, readOnly: true },
        { name: "tls", mountPath: backupPaths.tls, readOnly: true },
        { name: "restore-request", mountPath: backupPaths.request, readOnly: true },
        { name: "tmp", mountPath: "/tmp" },
        { name: "shared-memory", mountPath: "/dev/shm" },
        { name: "scratch", mountPath: backupPaths.scratch },
    ],
});

/** Where the backups lie, for people. */
export const describeRepository = ({ host, port, bucket, path }: Repository): string =>
    `s3://${bucket}${path} at ${host}:${port}`;
