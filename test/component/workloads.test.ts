import assert from "node:assert/strict";
import type { types } from "@pulumi/kubernetes";
import type { Recorded } from "./mocks";
import { devStack, find, kind, objects } from "./stack";

type Set = types.output.apps.v1.StatefulSet;
type Pod = types.output.core.v1.PodSpec;

describe("the workloads of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    const etcd = () => find(resources, "StatefulSet", "postgres-etcd-members").inputs as unknown as Set;
    const postgresql = () => find(resources, "StatefulSet", "postgres-patroni-instances").inputs as unknown as Set;
    const haproxy = () => find(resources, "DaemonSet", "postgres-haproxy-proxies").inputs as unknown as Set;
    const podOf = (set: Set): Pod => set.spec.template.spec;
    const containerOf = (set: Set) => podOf(set).containers[0] ?? assert.fail("no container");
    const all = () => [etcd(), postgresql(), haproxy()];
    const stateful = () => [etcd(), postgresql()];

    it("have one container each, PostgreSQL its backup agent beside it, of an image with a digest for a tag that is never pulled", () => {
        for (const [name, set] of [
            ["etcd", etcd()],
            ["patroni", postgresql()],
            ["haproxy", haproxy()],
        ] as const) {
            assert.equal(podOf(set).containers.length, name === "patroni" ? 2 : 1);
            for (const { image, imagePullPolicy } of podOf(set).containers) {
                assert.match(image, new RegExp(`^docker\\.io/postgres-ha/${name}:[0-9a-f]{16}$`));
                assert.equal(imagePullPolicy, "Never");
            }
        }
    });

    it("use the images that are put on the nodes", () => {
        const images = ["etcd", "patroni", "haproxy"].map(
            (name) => find(resources, "Image", `postgres-images-${name}`).inputs,
        );
        assert.deepEqual(
            images.map(({ reference }) => reference),
            all().map((set) => containerOf(set).image),
        );
    });

    it("keep to the restricted level of pod security, with a root filesystem that is read-only", () => {
        const users = [998, 999, 997];
        for (const [index, set] of all().entries()) {
            const user = users[index];
            const { sysctls = [], ...restricted } = podOf(set).securityContext ?? {};
            // Of those that the level allows since Kubernetes 1.29.
            assert.ok(sysctls.every(({ name }) => name.startsWith("net.ipv4.tcp_keepalive_")));
            assert.deepEqual(restricted, {
                runAsNonRoot: true,
                runAsUser: user,
                runAsGroup: user,
                fsGroup: user,
                fsGroupChangePolicy: "OnRootMismatch",
                seccompProfile: { type: "RuntimeDefault" },
            });
            assert.deepEqual(containerOf(set).securityContext, {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
            });
        }
    });

    it("of the database notice within half a minute that whoever they copy from has vanished", () => {
        const { sysctls = [] } = podOf(postgresql()).securityContext ?? {};
        const values = sysctls.map(({ name, value }) => [name.replace("net.ipv4.tcp_keepalive_", ""), Number(value)]);
        const { time = NaN, intvl = NaN, probes = NaN } = Object.fromEntries(values) as Record<string, number>;
        assert.ok(time + intvl * probes <= 30);
    });

    it("of the database run at most once per node and stay through any loss of it", () => {
        for (const set of stateful()) {
            const labels = set.spec.selector.matchLabels;
            assert.deepEqual(set.spec.template.metadata.labels, labels);
            assert.deepEqual(podOf(set).affinity, {
                podAntiAffinity: {
                    requiredDuringSchedulingIgnoredDuringExecution: [
                        { labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" },
                    ],
                },
            });
            assert.deepEqual(podOf(set).tolerations, [
                { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
                { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
            ]);
        }
    });

    it("of the database start side by side, and their volumes outlive them", () => {
        for (const set of stateful()) {
            assert.equal(set.spec.podManagementPolicy, "Parallel");
            assert.equal(set.spec.replicas, 3);
            assert.deepEqual(set.spec.persistentVolumeClaimRetentionPolicy, {
                whenDeleted: "Retain",
                whenScaled: "Retain",
            });
            assert.equal(set.spec.volumeClaimTemplates[0]?.metadata.name, "data");
        }
        const storage = stateful().map((set) => set.spec.volumeClaimTemplates[0]?.spec.resources.requests?.["storage"]);
        assert.deepEqual(storage, ["2Gi", "10Gi"]);
    });

    it("are not replaced when the size of a volume is changed", () => {
        for (const name of ["postgres-etcd-members", "postgres-patroni-instances"]) {
            assert.deepEqual(find(resources, "StatefulSet", name).ignoreChanges, ["spec.volumeClaimTemplates"], name);
        }
    });

    it("are restarted by the program, when all others are well", () => {
        assert.equal(postgresql().spec.updateStrategy.type, "OnDelete");
        assert.equal(etcd().spec.updateStrategy.type, "OnDelete");
        assert.equal(haproxy().spec.updateStrategy.type, "OnDelete");
    });

    it("ask for the CPU and memory of the dev profile, limit memory, and never throttle", () => {
        assert.deepEqual(
            all().map((set) => containerOf(set).resources),
            [
                { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "256Mi" } },
                { requests: { cpu: "200m", memory: "1536Mi" }, limits: { memory: "1536Mi" } },
                { requests: { cpu: "250m", memory: "128Mi" }, limits: { memory: "128Mi" } },
            ],
        );
    });

    it("take HAProxy's ports on every node, whatever its taints", () => {
        assert.deepEqual(containerOf(haproxy()).ports, [
            { name: "read-write", containerPort: 5432, hostPort: 5432 },
            { name: "read-only", containerPort: 5433, hostPort: 5433 },
            { name: "stats", containerPort: 8404, hostPort: 8404 },
        ]);
        assert.deepEqual(podOf(haproxy()).tolerations, [{ operator: "Exists" }]);
        assert.ok(
            stateful().every((set) => (containerOf(set).ports ?? []).every(({ hostPort }) => hostPort === undefined)),
        );
    });

    it("give PostgreSQL and HAProxy no access to the Kubernetes API", () => {
        assert.equal(podOf(postgresql()).automountServiceAccountToken, false);
        assert.equal(podOf(haproxy()).automountServiceAccountToken, false);
    });

    it("let etcd read and make its marker, and nothing else", () => {
        const rules = find(resources, "Role", "postgres-etcd-marker").inputs["rules"];
        assert.deepEqual(rules, [
            { apiGroups: [""], resources: ["configmaps"], resourceNames: ["postgres-etcd-formed"], verbs: ["get"] },
            { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
        ]);
        const binding = find(resources, "RoleBinding", "postgres-etcd-marker").inputs;
        assert.deepEqual(binding["subjects"], [
            { kind: "ServiceAccount", name: "postgres-etcd", namespace: "postgres" },
        ]);
        assert.equal(podOf(etcd()).serviceAccountName, "postgres-etcd");
    });

    it("restart a member of etcd for its own health alone, never for a lost quorum", () => {
        assert.deepEqual(containerOf(etcd()).livenessProbe.httpGet, { path: "/livez", port: 2381 });
        assert.deepEqual(containerOf(postgresql()).livenessProbe.httpGet, { path: "/", port: 8009 });
        assert.deepEqual(containerOf(haproxy()).livenessProbe.httpGet, { path: "/healthz", port: 8404 });
    });

    it("tell etcd's members of each other, and carry the derived timers", () => {
        const env = Object.fromEntries(containerOf(etcd()).env.map(({ name, value }) => [name, value]));
        assert.equal(
            env["INITIAL_CLUSTER"],
            "postgres-etcd-0=https://10.43.0.32:2380,postgres-etcd-1=https://10.43.0.33:2380,postgres-etcd-2=https://10.43.0.34:2380",
        );
        assert.equal(env["HEARTBEAT_MS"], "100");
        assert.equal(env["ELECTION_MS"], "500");
    });

    it("give a primary the time to stop that Patroni takes, and more", () => {
        assert.equal(podOf(postgresql()).terminationGracePeriodSeconds, 30);
    });

    it("are voluntarily disrupted one at a time", () => {
        for (const [name, set] of [
            ["postgres-etcd-budget", etcd()],
            ["postgres-patroni-budget", postgresql()],
        ] as const) {
            assert.deepEqual(find(resources, "PodDisruptionBudget", name).inputs["spec"], {
                maxUnavailable: 1,
                selector: set.spec.selector,
            });
        }
    });

    it("mount only what exists: Secrets, ConfigMaps and volumes of the same names", () => {
        const metadata = (resource: Recorded) => resource.inputs["metadata"] as { name: string; namespace?: string };
        const names = (wanted: string) =>
            objects(resources)
                .filter((each) => kind(each) === wanted)
                .map((each) => metadata(each).name);
        for (const set of all()) {
            const volumes = [
                ...podOf(set).volumes.map(({ name }) => name),
                ...(set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
            ];
            const mounted = podOf(set).containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
            assert.deepEqual([...new Set(mounted)].sort(), [...volumes].sort());
            for (const { secret, configMap } of podOf(set).volumes) {
                assert.ok(!secret || names("Secret").includes(secret.secretName), secret?.secretName);
                assert.ok(!configMap || names("ConfigMap").includes(configMap.name), configMap?.name);
            }
        }
        assert.deepEqual(containerOf(postgresql()).envFrom, [{ secretRef: { name: "postgres-credentials" } }]);
    });
});
