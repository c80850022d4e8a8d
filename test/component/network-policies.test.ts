import assert from "node:assert/strict";
import type { Recorded } from "./mocks";
import { devStack, find, kind } from "./stack";

interface Rule {
    from: { podSelector: { matchLabels: Record<string, string> }; namespaceSelector?: object }[];
    ports: { port: number; protocol: string }[];
}

interface PolicySpec {
    podSelector: { matchLabels?: Record<string, string> };
    policyTypes: string[];
    ingress: Rule[];
}

const named = (labels: Record<string, string> | undefined): string =>
    labels?.["app.kubernetes.io/name"] ?? "everything";

/** What is asked of Kubernetes. That traffic is refused depends on the network, and the stand-in for k3s refuses none. */
describe("the network policies of the database's namespace", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));
    const spec = (name: string) => find(resources, "NetworkPolicy", name).inputs["spec"] as PolicySpec;

    it("refuse everything that no other allows", () => {
        assert.deepEqual(spec("postgres-network-default-deny"), {
            podSelector: {},
            policyTypes: ["Ingress"],
            ingress: [],
        });
    });

    it("let only members and instances reach etcd, only proxies, instances and backups reach PostgreSQL", () => {
        const allowed = ["postgres-network-etcd", "postgres-network-postgresql"].flatMap((name) => {
            const { podSelector, ingress } = spec(name);
            return ingress.flatMap(({ from, ports }) =>
                from.flatMap((peer) =>
                    ports.map(
                        ({ port, protocol }) =>
                            `${named(peer.podSelector.matchLabels)} -> ${named(podSelector.matchLabels)} ${protocol} ${port}`,
                    ),
                ),
            );
        });
        assert.deepEqual(allowed.sort(), [
            "backup-runner -> postgresql TCP 8008",
            "backup-runner -> postgresql TCP 8432",
            "etcd -> etcd TCP 2379",
            "etcd -> etcd TCP 2380",
            "haproxy -> postgresql TCP 5432",
            "haproxy -> postgresql TCP 8008",
            "postgresql -> etcd TCP 2379",
            "postgresql -> postgresql TCP 5432",
            "postgresql -> postgresql TCP 8008",
        ]);
    });

    it("select the pods that there are, and proxies of the proxies' namespace only", () => {
        const labelsOf = (name: string) => {
            const workload = resources.find((each) => each.name === name && kind(each).endsWith("Set"));
            const inputs = workload?.inputs as { spec: { template: { metadata: { labels: object } } } } | undefined;
            return inputs?.spec.template.metadata.labels;
        };
        assert.deepEqual(spec("postgres-network-etcd").podSelector.matchLabels, labelsOf("postgres-etcd-members"));
        const { podSelector, ingress } = spec("postgres-network-postgresql");
        assert.deepEqual(podSelector.matchLabels, labelsOf("postgres-patroni-instances"));
        const proxies = ingress[0]?.from.find(({ namespaceSelector }) => namespaceSelector !== undefined);
        assert.deepEqual(proxies, {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "postgres-proxy" } },
            podSelector: { matchLabels: labelsOf("postgres-haproxy-proxies") },
        });
    });
});
