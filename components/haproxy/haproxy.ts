import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { textDigest } from "../content-digest";
import { labels, ports, readOnlyService, readWriteService } from "../naming";
import type { Timers } from "../recovery";
import {
    inCluster,
    metadataOf,
    ownImage,
    resources,
    restrictedContainer,
    restrictedPod,
    skipAwait,
    type Resources,
    type WorkloadContext,
} from "../workload";
import { haproxyFolder, haproxyTls, renderHaproxyConfig, renderServerState, serverStateFile } from "./config";

export interface HaproxyArgs {
    context: WorkloadContext;
    cluster: string;
    image: string;
    instances: { name: string; address: string }[];
    /** Authority of the certificates of Patroni's REST API. */
    patroniAuthority: pulumi.Input<string>;
    timers: Timers["haproxy"];
    maxConnections: number;
    maximumReplicaLag: string;
    allowedClients?: string[];
    resources: Resources;
}

/** The entries of the cluster on every node, and the same as Services for applications inside it. */
export class Haproxy extends pulumi.ComponentResource {
    readonly daemonSet: kubernetes.apps.v1.DaemonSet;

    constructor(name: string, args: HaproxyArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:haproxy:Haproxy", name, {}, opts);
        const object = inCluster(this, args.context);
        const config = renderHaproxyConfig(args);
        const serverState = renderServerState(args.instances);
        const digest = pulumi
            .output(args.patroniAuthority)
            .apply((authority) => textDigest(config, serverState, authority));
        const configMap = new kubernetes.core.v1.ConfigMap(
            `${name}-config`,
            {
                metadata: metadata(args, `${args.cluster}-haproxy`),
                data: { "haproxy.cfg": config, [serverStateFile]: serverState, "ca.crt": args.patroniAuthority },
            },
            object,
        );
        this.daemonSet = createDaemonSet(name, args, digest, configMap, object);
        createServices(name, args, object);
        this.registerOutputs({});
    }
}

const metadata = metadataOf("haproxy");

function createDaemonSet(
    name: string,
    args: HaproxyArgs,
    digest: pulumi.Output<string>,
    configMap: kubernetes.core.v1.ConfigMap,
    object: pulumi.CustomResourceOptions,
): kubernetes.apps.v1.DaemonSet {
    const podLabels = labels(args.cluster, "haproxy");
    const hostPort = (portName: string, port: number) => ({ name: portName, containerPort: port, hostPort: port });
    return new kubernetes.apps.v1.DaemonSet(
        `${name}-proxies`,
        {
            // PatroniState waits instead, as it restarts them: one on a machine that is off would keep an update from all others.
            metadata: metadata(args, `${args.cluster}-haproxy`, skipAwait),
            spec: {
                selector: { matchLabels: podLabels },
                updateStrategy: { type: "OnDelete" },
                template: {
                    metadata: {
                        labels: podLabels,
                        // A changed configuration or authority rolls the proxies.
                        annotations: { "postgres-ha/config": digest },
                    },
                    spec: {
                        automountServiceAccountToken: false,
                        enableServiceLinks: false,
                        terminationGracePeriodSeconds: 5,
                        tolerations: [{ operator: "Exists" }],
                        securityContext: restrictedPod(997),
                        containers: [
                            {
                                name: "haproxy",
                                ...ownImage(args.image),
                                ports: [
                                    hostPort("read-write", ports.readWrite),
                                    hostPort("read-only", ports.readOnly),
                                    hostPort("stats", ports.haproxyStats),
                                ],
                                resources: resources(args.resources),
                                securityContext: restrictedContainer,
                                readinessProbe: {
                                    httpGet: { path: "/healthz", port: ports.haproxyStats },
                                    periodSeconds: 5,
                                },
                                livenessProbe: {
                                    httpGet: { path: "/healthz", port: ports.haproxyStats },
                                    periodSeconds: 5,
                                    timeoutSeconds: 3,
                                    failureThreshold: 3,
                                },
                                volumeMounts: [
                                    { name: "config", mountPath: haproxyFolder, readOnly: true },
                                    { name: "config", mountPath: haproxyTls, readOnly: true },
                                ],
                            },
                        ],
                        volumes: [{ name: "config", configMap: { name: configMap.metadata.name } }],
                    },
                },
            },
        },
        object,
    );
}

/** For applications in the cluster; a client's own node answers first. */
function createServices(name: string, args: HaproxyArgs, object: pulumi.CustomResourceOptions): void {
    const entries = {
        rw: [readWriteService(args.cluster), ports.readWrite],
        ro: [readOnlyService(args.cluster), ports.readOnly],
    } as const;
    for (const [suffix, [service, port]] of Object.entries(entries)) {
        new kubernetes.core.v1.Service(
            `${name}-${suffix}`,
            {
                metadata: metadata(args, service),
                spec: {
                    selector: labels(args.cluster, "haproxy"),
                    trafficDistribution: "PreferSameNode",
                    ports: [{ name: "postgresql", port: ports.postgresql, targetPort: port }],
                },
            },
            object,
        );
    }
}
