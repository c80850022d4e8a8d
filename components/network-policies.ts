import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { labels, ports, proxyNamespace } from "./naming";
import { inCluster, metadataOf, type WorkloadContext } from "./workload";

export interface NetworkPoliciesArgs {
    /** Of the database: etcd and PostgreSQL. */
    context: WorkloadContext;
    cluster: string;
}

type Ingress = kubernetes.types.input.networking.v1.NetworkPolicyIngressRule;
type Peer = kubernetes.types.input.networking.v1.NetworkPolicyPeer;

/**
 * Who may connect to what in the database's namespace; everything else is refused where the network enforces policies
 * (k3s does). Policies allow the kubelet's probes, and what runs on a pod's own node, in any case. What the pods connect
 * to is left open: a repository of backups may be anywhere.
 */
export class NetworkPolicies extends pulumi.ComponentResource {
    constructor(name: string, args: NetworkPoliciesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:index:NetworkPolicies", name, {}, opts);
        const { cluster, context } = args;
        const members: Peer = { podSelector: { matchLabels: labels(cluster, "etcd") } };
        const instances: Peer = { podSelector: { matchLabels: labels(cluster, "postgresql") } };
        const runner: Peer = { podSelector: { matchLabels: labels(cluster, "backup-runner") } };
        const proxies: Peer = {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": proxyNamespace(cluster) } },
            podSelector: { matchLabels: labels(cluster, "haproxy") },
        };
        const policy = (suffix: string, component: string | undefined, ingress: Ingress[]) =>
            new kubernetes.networking.v1.NetworkPolicy(
                `${name}-${suffix}`,
                {
                    metadata: metadataOf(component ?? "network")(args, `${cluster}-${suffix}`),
                    spec: {
                        podSelector: component === undefined ? {} : { matchLabels: labels(cluster, component) },
                        policyTypes: ["Ingress"],
                        ingress,
                    },
                },
                inCluster(this, context),
            );
        policy("default-deny", undefined, []);
        policy("etcd", "etcd", [
            allow([ports.etcdPeer], [members]),
            // Members ask each other as clients, too, when one joins.
            allow([ports.etcdClient], [members, instances]),
        ]);
        policy("postgresql", "postgresql", [
            allow([ports.postgresql, ports.patroni], [instances, proxies]),
            // Backups: which instance is primary, and its files.
            allow([ports.patroni, ports.pgBackRest], [runner]),
        ]);
        this.registerOutputs({});
    }
}

const allow = (allowed: number[], from: Peer[]): Ingress => ({
    ports: allowed.map((port) => ({ protocol: "TCP", port })),
    from,
});
