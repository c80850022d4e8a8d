import assert from "node:assert/strict";
import type { types } from "@pulumi/kubernetes";
import { parse } from "yaml";
import type { Recorded } from "./mocks";
import { devStack, find, kind, objects } from "./stack";

interface Metadata {
    name: string;
    namespace?: string;
    labels: Record<string, string>;
    annotations?: Record<string, string>;
}

const metadata = ({ inputs }: Recorded): Metadata => inputs["metadata"] as Metadata;
const serviceSpec = ({ inputs }: Recorded) => inputs["spec"] as types.output.core.v1.ServiceSpec;

const components = ["etcd", "postgresql", "haproxy", "pgbackrest", "backup-runner", "network"];

describe("the Kubernetes objects of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    it("are all applied under one name, so that one of an interrupted run has no second owner", () => {
        for (const object of objects(resources)) {
            const manager = metadata(object).annotations?.["pulumi.com/patchFieldManager"];
            assert.equal(manager, "postgres-ha", `${kind(object)} ${metadata(object).name}`);
        }
    });

    it("are named explicitly, so that none is made anew under another name", () => {
        const names = objects(resources).map((object) => {
            const { name, namespace } = metadata(object);
            return `${kind(object)} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
        });
        assert.deepEqual(names.sort(), [
            "ConfigMap postgres-proxy/postgres-haproxy",
            "ConfigMap postgres/postgres-patroni",
            "ConfigMap postgres/postgres-restore",
            "DaemonSet postgres-proxy/postgres-haproxy",
            "Deployment postgres/postgres-backup",
            "Namespace postgres",
            "Namespace postgres-proxy",
            "NetworkPolicy postgres/postgres-default-deny",
            "NetworkPolicy postgres/postgres-etcd",
            "NetworkPolicy postgres/postgres-postgresql",
            "PodDisruptionBudget postgres/postgres",
            "PodDisruptionBudget postgres/postgres-etcd",
            "Role postgres/postgres-etcd",
            "RoleBinding postgres/postgres-etcd",
            "Secret postgres/postgres-backup-runner",
            "Secret postgres/postgres-backup-runner-tls",
            "Secret postgres/postgres-credentials",
            "Secret postgres/postgres-etcd-client",
            "Secret postgres/postgres-etcd-tls",
            "Secret postgres/postgres-pgbackrest",
            "Secret postgres/postgres-pgbackrest-tls",
            "Secret postgres/postgres-tls",
            "Service postgres-proxy/postgres-ro",
            "Service postgres-proxy/postgres-rw",
            "Service postgres/postgres",
            "Service postgres/postgres-0",
            "Service postgres/postgres-1",
            "Service postgres/postgres-2",
            "Service postgres/postgres-backup",
            "Service postgres/postgres-etcd",
            "Service postgres/postgres-etcd-0",
            "Service postgres/postgres-etcd-1",
            "Service postgres/postgres-etcd-2",
            "ServiceAccount postgres/postgres-etcd",
            "StatefulSet postgres/postgres",
            "StatefulSet postgres/postgres-etcd",
        ]);
    });

    it("carry the recommended labels", () => {
        for (const object of objects(resources).filter((each) => kind(each) !== "Namespace")) {
            const { labels } = metadata(object);
            assert.equal(labels["app.kubernetes.io/instance"], "postgres", object.name);
            assert.equal(labels["app.kubernetes.io/part-of"], "postgres-ha", object.name);
            assert.ok(components.includes(labels["app.kubernetes.io/name"] ?? ""), object.name);
        }
    });

    it("enforce the restricted level where the data is, and allow host ports only beside it", () => {
        const level = (name: string) =>
            metadata(find(resources, "Namespace", name)).labels["pod-security.kubernetes.io/enforce"];
        assert.equal(level("postgres-namespace"), "restricted");
        assert.equal(level("postgres-proxy-namespace"), "privileged");
    });

    it("give every member of etcd a fixed address of its own", () => {
        for (const index of [0, 1, 2]) {
            const spec = serviceSpec(find(resources, "Service", `postgres-etcd-${index}`));
            assert.deepEqual(spec, {
                clusterIP: `10.43.0.${32 + index}`,
                publishNotReadyAddresses: true,
                selector: { "statefulset.kubernetes.io/pod-name": `postgres-etcd-${index}` },
                ports: [
                    { name: "client", port: 2379 },
                    { name: "peer", port: 2380 },
                ],
            });
        }
    });

    it("give every instance a fixed address of its own", () => {
        for (const index of [0, 1, 2]) {
            const spec = serviceSpec(find(resources, "Service", `postgres-patroni-${index}`));
            assert.deepEqual(spec, {
                clusterIP: `10.43.0.${64 + index}`,
                publishNotReadyAddresses: true,
                selector: { "statefulset.kubernetes.io/pod-name": `postgres-${index}` },
                ports: [
                    { name: "postgresql", port: 5432 },
                    { name: "patroni", port: 8008 },
                    { name: "pgbackrest", port: 8432 },
                ],
            });
        }
    });

    it("are not waited for where their pods come later: that would be for ever", () => {
        const awaited = objects(resources).filter((object) => /^postgres-(etcd|patroni)-\d$/.test(object.name));
        assert.equal(awaited.length, 6);
        for (const object of awaited) {
            assert.equal(metadata(object).annotations?.["pulumi.com/skipAwait"], "true");
        }
    });

    it("lead applications in the cluster through the proxies, the one on their own node first", () => {
        const selector = metadata(find(resources, "DaemonSet", "postgres-haproxy-proxies")).labels;
        for (const [suffix, targetPort] of [
            ["rw", 5432],
            ["ro", 5433],
        ] as const) {
            assert.deepEqual(serviceSpec(find(resources, "Service", `postgres-haproxy-${suffix}`)), {
                selector,
                trafficDistribution: "PreferSameNode",
                ports: [{ name: "postgresql", port: 5432, targetPort }],
            });
        }
    });

    it("hand Patroni the etcd members and timers that exist", () => {
        const data = find(resources, "ConfigMap", "postgres-patroni-config").inputs["data"] as Record<string, string>;
        const config = parse(data["patroni.yml"] ?? "") as { etcd3: { hosts: string[] }; bootstrap: { dcs: object } };
        assert.deepEqual(config.etcd3.hosts, ["10.43.0.32:2379", "10.43.0.33:2379", "10.43.0.34:2379"]);
        const state = find(resources, "PatroniState", "postgres-state").inputs;
        assert.deepEqual(
            config.bootstrap.dcs,
            state["dynamicConfig"],
            "what is bootstrapped is what is enforced later",
        );
        assert.deepEqual(state["instances"], ["postgres-0", "postgres-1", "postgres-2"]);
        assert.equal(state["namespace"], "postgres");
    });

    it("hand HAProxy the instances that exist, and roll it when its configuration changes", () => {
        const config = find(resources, "ConfigMap", "postgres-haproxy-config").inputs["data"] as Record<string, string>;
        for (const index of [0, 1, 2]) {
            assert.ok(config["haproxy.cfg"]?.includes(`server postgres-${index} 10.43.0.${64 + index}:5432 `));
        }
        assert.equal(config["ca.crt"], "PUBLIC-postgres-patroni-api-ca-certificate");
        const { spec } = find(resources, "DaemonSet", "postgres-haproxy-proxies")
            .inputs as unknown as types.output.apps.v1.DaemonSet;
        assert.match(spec.template.metadata.annotations["postgres-ha/config"] ?? "", /^[0-9a-f]{16}$/);
    });

    it("have certificates for every name under which a client reaches PostgreSQL", () => {
        const { dnsNames, ipAddresses, usages } = find(resources, "Certificate", "postgres-patroni-server").inputs;
        assert.deepEqual(dnsNames, [
            "localhost",
            ...["postgres-0", "postgres-1", "postgres-2", "machine-1", "machine-2", "machine-3"],
            ...["rw", "ro"].flatMap((suffix) =>
                ["", ".postgres-proxy", ".postgres-proxy.svc", ".postgres-proxy.svc.cluster.local"].map(
                    (end) => `postgres-${suffix}${end}`,
                ),
            ),
        ]);
        assert.deepEqual(ipAddresses, [
            "127.0.0.1",
            ...["10.43.0.64", "10.43.0.65", "10.43.0.66", "172.30.0.11", "172.30.0.12", "172.30.0.13"],
        ]);
        assert.deepEqual(usages, ["server"]);
    });
});
