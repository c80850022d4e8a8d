import * as assert from "node:assert/strict";
import { waitForRule } from "../../offline/engine/await-for";
import type { Circumstances, Verdict } from "../../offline/engine/await-rule";
import { ruleFor } from "../../offline/engine/await-rules";
import type { KubeObject } from "../../offline/engine/kube-client";
import { driftedInputs } from "../../offline/engine/kube-drift";
import type { PropertyMap } from "../../offline/engine/values";

const CALM: Circumstances = { related: {}, quietSeconds: 60, creating: true };

function object(apiVersion: string, kind: string, parts: PropertyMap, generation = 1): KubeObject {
    return {
        apiVersion,
        kind,
        ...parts,
        metadata: { name: "it", namespace: "db", uid: "u1", generation, ...(parts.metadata as PropertyMap) },
    };
}

function judge(live: KubeObject, circumstances: Partial<Circumstances> = {}): Verdict {
    const rule = ruleFor(live);
    assert.ok(rule, `no rule for ${live.kind}`);
    return rule.judge(live, { ...CALM, ...circumstances });
}

function statefulSet(status: PropertyMap, generation = 1, type = "RollingUpdate"): KubeObject {
    return object("apps/v1", "StatefulSet", { spec: { replicas: 3, updateStrategy: { type } }, status }, generation);
}

describe("await rules of the kubernetes stand-in", () => {
    const settled = {
        observedGeneration: 1,
        replicas: 3,
        readyReplicas: 3,
        currentReplicas: 3,
        currentRevision: "a",
        updateRevision: "a",
    };

    it("waits for every replica of a StatefulSet", () => {
        assert.deepEqual(judge(statefulSet(settled)), { ready: true });
        const two = judge(statefulSet({ ...settled, readyReplicas: 2 }));
        assert.equal(two.ready, false);
        assert.equal(!two.ready && two.status, "2/3 replicas ready");
    });

    it("does not believe the status of an earlier generation", () => {
        assert.equal(judge(statefulSet(settled, 2)).ready, false);
        assert.equal(judge(statefulSet({})).ready, false);
    });

    it("waits for the new revision with RollingUpdate, never with OnDelete", () => {
        const rolling = {
            observedGeneration: 2,
            replicas: 3,
            readyReplicas: 3,
            updatedReplicas: 1,
            currentReplicas: 2,
            currentRevision: "a",
            updateRevision: "b",
        };
        assert.equal(judge(statefulSet(rolling, 2)).ready, false);
        assert.equal(judge(statefulSet(rolling, 2, "OnDelete")).ready, true);
        assert.equal(judge(statefulSet({ ...rolling, readyReplicas: 2 }, 2, "OnDelete")).ready, false);
    });

    it("counts a DaemonSet's pods by the nodes they should be on", () => {
        const status = {
            observedGeneration: 1,
            desiredNumberScheduled: 2,
            currentNumberScheduled: 2,
            updatedNumberScheduled: 2,
            numberAvailable: 2,
            numberReady: 2,
        };
        assert.equal(judge(object("apps/v1", "DaemonSet", { status })).ready, true);
        assert.equal(
            judge(object("apps/v1", "DaemonSet", { status: { ...status, updatedNumberScheduled: 1 } })).ready,
            false,
        );
        assert.equal(judge(object("apps/v1", "DaemonSet", { status: { observedGeneration: 1 } })).ready, false);
    });

    it("takes a Deployment's readiness from its current ReplicaSet and its conditions", () => {
        const annotations = { "deployment.kubernetes.io/revision": "2" };
        const conditions = [
            { type: "Available", status: "True" },
            { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
        ];
        const live = object("apps/v1", "Deployment", {
            metadata: { annotations },
            spec: {},
            status: { observedGeneration: 1, conditions },
        });
        const set = (revision: string, ready: number): KubeObject =>
            object("apps/v1", "ReplicaSet", {
                metadata: {
                    ownerReferences: [{ uid: "u1" }],
                    annotations: { "deployment.kubernetes.io/revision": revision },
                },
                spec: { replicas: 2 },
                status: { readyReplicas: ready },
            });
        assert.equal(judge(live, { related: { ReplicaSet: [set("2", 2)] } }).ready, true);
        assert.equal(judge(live, { related: { ReplicaSet: [set("2", 1)] } }).ready, false);
        assert.equal(judge(live, { related: { ReplicaSet: [set("1", 2)] } }).ready, false);
        const stuck = structuredClone(live);
        (stuck.status as PropertyMap).conditions = [
            conditions[0],
            { type: "Progressing", status: "True", reason: "ReplicaSetUpdated" },
        ];
        assert.equal(judge(stuck, { related: { ReplicaSet: [set("2", 2)] } }).ready, false);
    });

    it("gives up on a Job that failed, and takes only a complete one", () => {
        const job = (conditions: PropertyMap[]): KubeObject =>
            object("batch/v1", "Job", { spec: {}, status: { startTime: "t", conditions } });
        assert.equal(judge(job([{ type: "Complete", status: "True" }])).ready, true);
        assert.equal(judge(job([])).ready, false);
        const failed = judge(
            job([{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "too often" }]),
        );
        assert.ok(!failed.ready && failed.final);
        assert.equal(!failed.ready && failed.status, "[BackoffLimitExceeded] too often");
    });

    it("follows a Pod from scheduled to ready, or to succeeded", () => {
        const pod = (types: string[], phase = "Running"): KubeObject =>
            object("v1", "Pod", { status: { phase, conditions: types.map((type) => ({ type, status: "True" })) } });
        assert.equal(judge(pod(["PodScheduled", "Initialized", "Ready"])).ready, true);
        assert.equal(judge(pod(["PodScheduled", "Initialized"])).ready, false);
        assert.equal(judge(pod(["PodScheduled", "Initialized"], "Succeeded")).ready, true);
    });

    it("takes a pending claim only of a class that waits for its first consumer", () => {
        const claim = object("v1", "PersistentVolumeClaim", {
            spec: { storageClassName: "local" },
            status: { phase: "Pending" },
        });
        const storage = (volumeBindingMode: string): KubeObject[] => [
            object("storage.k8s.io/v1", "StorageClass", { volumeBindingMode }),
        ];
        assert.equal(judge(claim, { related: { StorageClass: storage("WaitForFirstConsumer") } }).ready, true);
        assert.equal(judge(claim, { related: { StorageClass: storage("Immediate") } }).ready, false);
        assert.equal(judge(claim).ready, false);
    });

    it("lets a Service's endpoints settle for ten seconds, and waits for none that are not ready", () => {
        const service = object("v1", "Service", {
            spec: { type: "ClusterIP", clusterIP: "10.0.0.1", selector: { app: "db" } },
        });
        const endpoints = (field: string): KubeObject[] => [
            object("v1", "Endpoints", { subsets: [{ [field]: [{ ip: "10.1.0.1" }] }] }),
        ];
        assert.equal(judge(service, { related: { Endpoints: endpoints("addresses") }, quietSeconds: 9 }).ready, false);
        assert.equal(judge(service, { related: { Endpoints: endpoints("addresses") }, quietSeconds: 10 }).ready, true);
        assert.equal(judge(service, { related: { Endpoints: endpoints("notReadyAddresses") } }).ready, false);
        assert.equal(judge(service).ready, false);
    });

    it("waits for no endpoints of headless, external and selector-less Services, but for a load balancer's address", () => {
        const service = (spec: PropertyMap, status: PropertyMap = {}): KubeObject =>
            object("v1", "Service", { spec, status });
        assert.equal(judge(service({ clusterIP: "None", selector: { app: "db" } }), { quietSeconds: 0 }).ready, true);
        assert.equal(
            judge(service({ type: "ExternalName", selector: { app: "db" } }), { quietSeconds: 0 }).ready,
            true,
        );
        assert.equal(judge(service({ clusterIP: "10.0.0.1" }), { quietSeconds: 0 }).ready, true);
        assert.equal(judge(service({ type: "LoadBalancer" })).ready, false);
        assert.equal(
            judge(service({ type: "LoadBalancer" }, { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } })).ready,
            true,
        );
    });

    it("awaits nothing of kinds without a rule", () => {
        for (const [apiVersion, kind] of [
            ["v1", "ConfigMap"],
            ["v1", "Namespace"],
            ["example.com/v1", "Thing"],
        ] as const) {
            assert.equal(ruleFor(object(apiVersion, kind, {})), undefined);
        }
    });

    it("reads waitFor expressions and refuses what it cannot read", () => {
        const live = object("example.com/v1", "Thing", {
            status: { phase: "Up", conditions: [{ type: "Ready", status: "True" }], list: [{ "a.b": 3 }] },
        });
        const holds = (expression: string): boolean => waitForRule(expression).judge(live, CALM).ready;
        assert.equal(holds("condition=Ready"), true);
        assert.equal(holds("condition=Ready=False"), false);
        assert.equal(holds("jsonpath={.status.phase}=Up"), true);
        assert.equal(holds("jsonpath={.status.phase}=Down"), false);
        assert.equal(holds("jsonpath={.status.list[0]['a.b']}=3"), true);
        assert.equal(holds("jsonpath={.status.missing}"), false);
        assert.equal(holds('["condition=Ready", "jsonpath={.status.phase}=Down"]'), false);
        assert.throws(() => holds("phase=Up"), /expected a "jsonpath=" or "condition=" prefix/);
        const stale = structuredClone(live);
        (stale.status as PropertyMap).observedGeneration = 0;
        assert.equal(waitForRule("condition=Ready").judge(stale, CALM).ready, false);
    });
});

describe("drift as the kubernetes stand-in sees it", () => {
    const live = (parts: PropertyMap): KubeObject => object("v1", "Pod", parts);

    it("shows changed values only where the inputs mention them", () => {
        const inputs = { spec: { replicas: 3 }, metadata: { labels: { app: "db" } } };
        const found = driftedInputs(
            inputs,
            live({ spec: { replicas: 2, paused: true }, metadata: { labels: { app: "db", extra: "x" } } }),
        );
        assert.deepEqual(found, { spec: { replicas: 2 }, metadata: { labels: { app: "db" } } });
    });

    it("takes a rewritten quantity for the same, a different one and equal-looking strings elsewhere for drift", () => {
        const inputs = { resources: { limits: { cpu: "1000m", memory: "1Gi" } }, env: "1000m" };
        assert.deepEqual(
            driftedInputs(inputs, live({ resources: { limits: { cpu: "1", memory: "1024Mi" } }, env: "1000m" })),
            inputs,
        );
        const changed = driftedInputs(inputs, live({ resources: { limits: { cpu: "2", memory: "1Gi" } }, env: "1" }));
        assert.deepEqual(changed, { resources: { limits: { cpu: "2", memory: "1Gi" } }, env: "1" });
    });

    it("drops what is gone, keeps empty values the server never returns, ignores elements added at the end", () => {
        const inputs = { a: "x", empty: {}, off: false, list: [1, 2] };
        assert.deepEqual(driftedInputs(inputs, live({ list: [1, 2, 3] })), { empty: {}, off: false, list: [1, 2] });
    });

    it("compares a Secret's stringData with the data the server keeps", () => {
        const inputs = { kind: "Secret", stringData: { password: "old", gone: "x" } };
        const secret = object("v1", "Secret", { data: { password: Buffer.from("new").toString("base64") } });
        assert.deepEqual(driftedInputs(inputs, secret), { kind: "Secret", stringData: { password: "new" } });
    });
});
