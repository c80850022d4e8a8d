import * as assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { pluck, pluckMap, pluckMaps, type PropertyMap } from "../../offline/engine/values";
import { FakeCluster, type Live } from "./engine-fake-cluster";
import { CallError, type Provider, startProvider } from "./engine-plugin-client";

const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

function urn(type: string, name = "it"): string {
    return `urn:pulumi:dev::test::kubernetes:${type}::${name}`;
}
const CONFIG_MAP = urn("core/v1:ConfigMap");
const STATEFUL_SET = urn("apps/v1:StatefulSet");
const SECRET = urn("core/v1:Secret");

function configMap(name: string, data: PropertyMap = { level: "one" }, metadata: PropertyMap = {}): PropertyMap {
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", ...metadata }, data };
}

function statefulSet(name: string, replicas = 2, annotations: PropertyMap = {}): PropertyMap {
    const labels = { app: name };
    return {
        apiVersion: "apps/v1",
        kind: "StatefulSet",
        metadata: { name, namespace: "default", annotations },
        spec: { replicas, serviceName: name, selector: { matchLabels: labels }, template: { metadata: { labels } } },
    };
}

function completeStatus(live: Live, readyReplicas: number): PropertyMap {
    const replicas = Number(pluck(live, "spec", "replicas"));
    const revision = { currentRevision: "r1", updateRevision: "r1" };
    return {
        observedGeneration: live.metadata.generation,
        replicas,
        readyReplicas,
        currentReplicas: replicas,
        ...revision,
    };
}

describe("stand-in for pulumi-resource-kubernetes", function () {
    this.timeout(60_000);
    let cluster: FakeCluster;
    let provider: Provider;
    const started: Provider[] = [];

    async function configured(
        options: Record<string, string> = {},
        environment: NodeJS.ProcessEnv = {},
    ): Promise<Provider> {
        const fresh = await startProvider("kubernetes", environment);
        started.push(fresh);
        const variables = {
            kubeconfig: cluster.kubeconfig,
            enableConfigMapMutable: "true",
            enableSecretMutable: "true",
            ...options,
        };
        await fresh.configure(
            Object.fromEntries(Object.entries(variables).map(([key, value]) => [`kubernetes:config:${key}`, value])),
        );
        return fresh;
    }

    beforeEach(async () => {
        cluster = new FakeCluster();
        await cluster.start();
        provider = await configured();
    });
    afterEach(async () => {
        await Promise.all(started.splice(0).map((each) => each.stop()));
        await cluster.stop();
    });

    async function created(type: string, inputs: PropertyMap): Promise<{ id: string; state: PropertyMap }> {
        const { id, properties } = await provider.create(type, inputs);
        return { id, state: properties };
    }

    async function failure(attempt: Promise<unknown>): Promise<CallError> {
        const error = await attempt.then(
            () => assert.fail("the call was expected to fail"),
            (caught: unknown) => caught,
        );
        assert.ok(error instanceof CallError, String(error));
        return error;
    }

    describe("create", () => {
        it("creates the object and returns what the server made of it", async () => {
            const { id, state } = await created(CONFIG_MAP, configMap("settings"));
            assert.equal(id, "default/settings");
            assert.equal(pluck(state, "metadata", "uid"), cluster.find("ConfigMap", "settings")?.metadata.uid);
            assert.equal(pluck(state, "metadata", "managedFields"), undefined);
            await provider.plugin.said("offline engine: stand-in for pulumi-resource-kubernetes 4.29.0");
        });

        it("refuses to take over an object that exists, unless told to upsert", async () => {
            cluster.put(configMap("settings", { level: "theirs" }));
            const error = await failure(provider.create(CONFIG_MAP, configMap("settings")));
            assert.match(error.message, /already exists[\s\S]*pulumi import/);
            assert.equal(error.initFailed, undefined);
            const upserting = await configured({ upsertExistingObjects: "true", enablePatchForce: "true" });
            await upserting.create(CONFIG_MAP, configMap("settings"));
            assert.equal(pluck(cluster.find("ConfigMap", "settings"), "data", "level"), "one");
        });

        it("waits for a custom resource's CRD and for a namespace that come later", async () => {
            const inputs = {
                apiVersion: "example.com/v1",
                kind: "Thing",
                metadata: { name: "one", namespace: "late" },
                spec: { size: 1 },
            };
            const creating = provider.create(urn("example.com/v1:Thing"), inputs);
            await sleep(700);
            cluster.establish("example.com", "Thing");
            await sleep(700);
            cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "late" } });
            assert.equal((await creating).id, "late/one");
        });

        it("tells progress while it waits and returns the ready object", async () => {
            cluster.controller = (live) => {
                if (live.kind !== "StatefulSet") return;
                live.status = completeStatus(live, 1);
            };
            const creating = created(STATEFUL_SET, statefulSet("db"));
            const line = await provider.plugin.said("1/2 replicas ready");
            const live = cluster.find("StatefulSet", "db") ?? assert.fail("it was not made");
            live.status = completeStatus(live, 2);
            const { state } = await creating;
            assert.equal(pluck(state, "status", "readyReplicas"), 2);
            assert.deepEqual([line.ephemeral, line.urn], [true, STATEFUL_SET]);
        });

        it("keeps the state of an object that never gets ready, with the pods' reasons", async () => {
            cluster.put({
                apiVersion: "v1",
                kind: "Pod",
                metadata: { name: "db-0", namespace: "default", labels: { app: "db" } },
                status: {
                    containerStatuses: [
                        {
                            name: "main",
                            ready: false,
                            state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } },
                        },
                    ],
                },
            });
            const error = await failure(
                provider.create(STATEFUL_SET, statefulSet("db", 2, { "pulumi.com/timeoutSeconds": "1" })),
            );
            assert.equal(error.initFailed?.id, "default/db");
            assert.equal(
                pluck(error.initFailed?.properties, "metadata", "uid"),
                cluster.find("StatefulSet", "db")?.metadata.uid,
            );
            assert.deepEqual(error.initFailed?.inputs.spec, statefulSet("db").spec);
            const reasons = error.initFailed?.reasons.join("\n") ?? "";
            assert.match(reasons, /timed out waiting to be Ready/);
            assert.match(reasons, /db-0, container main: \[ImagePullBackOff\] no such image/);
        });

        it("ends a wait at once when cancelled, with the state kept", async () => {
            const creating = failure(provider.create(STATEFUL_SET, statefulSet("db")));
            await provider.plugin.said("0/2 replicas ready");
            const asked = Date.now();
            await provider.cancel();
            const error = await creating;
            // It would wait for minutes.
            assert.ok(Date.now() - asked < 10_000);
            assert.match(error.initFailed?.reasons.join("\n") ?? "", /cancelled/);
            assert.equal(error.initFailed?.id, "default/db");
        });

        it("does not wait with skipAwait, and waits for what waitFor says", async () => {
            await provider.create(STATEFUL_SET, statefulSet("quick", 2, { "pulumi.com/skipAwait": "true" }));
            const waitFor = { "pulumi.com/waitFor": "jsonpath={.data.level}=two", "pulumi.com/timeoutSeconds": "20" };
            const creating = provider.create(CONFIG_MAP, configMap("settings", undefined, { annotations: waitFor }));
            await provider.plugin.said("waiting for .data.level=two");
            const live = cluster.find("ConfigMap", "settings");
            if (live) live.data = { level: "two" };
            assert.equal(pluck((await creating).properties, "data", "level"), "two");
        });

        it("survives an API server that goes away while it waits", async () => {
            const creating = provider.create(STATEFUL_SET, statefulSet("db"), { timeout: 30 });
            await provider.plugin.said("0/2 replicas ready");
            await cluster.stop();
            await sleep(1500);
            await cluster.start().catch(() => undefined);
            const live = cluster.find("StatefulSet", "db");
            if (live) live.status = completeStatus(live, 2);
            assert.equal((await creating).id, "default/db");
        });
    });

    describe("update", () => {
        it("applies what changed, removes what is gone and leaves others' fields alone", async () => {
            const before = configMap("settings", { level: "one", gone: "x" });
            const { state } = await created(CONFIG_MAP, before);
            const live = cluster.find("ConfigMap", "settings") as Live;
            (live.data as PropertyMap).theirs = "kept";
            const after = configMap("settings", { level: "two" });
            const updated = await provider.update(CONFIG_MAP, state, before, after);
            assert.deepEqual(updated.data, { level: "two", theirs: "kept" });
            assert.equal(updated.__fieldManager, state.__fieldManager);
        });

        it("fails on a field that another manager owns, and takes it with patchForce", async () => {
            const before = configMap("settings", { level: "one" });
            const { state } = await created(CONFIG_MAP, before);
            const live = cluster.find("ConfigMap", "settings") as Live;
            (live.data as PropertyMap).shared = "theirs";
            const theirs = { manager: "operator", operation: "Apply", fieldsV1: { "f:data": { "f:shared": {} } } };
            (live.metadata.managedFields as unknown[]).push(theirs);
            const after = configMap("settings", { level: "one", shared: "ours" });
            const error = await failure(provider.update(CONFIG_MAP, state, before, after));
            assert.match(error.message, /conflict with "operator": \.data\.shared[\s\S]*patchForce/);
            const forced = configMap(
                "settings",
                { level: "one", shared: "ours" },
                { annotations: { "pulumi.com/patchForce": "true" } },
            );
            assert.equal(pluck(await provider.update(CONFIG_MAP, state, before, forced), "data", "shared"), "ours");
        });

        it("reports an immutable field in the server's words and changes nothing", async () => {
            const before = statefulSet("db", 1, { "pulumi.com/skipAwait": "true" });
            const { state } = await created(STATEFUL_SET, before);
            const after = structuredClone(before);
            (after.spec as PropertyMap).selector = { matchLabels: { app: "other" } };
            const error = await failure(provider.update(STATEFUL_SET, state, before, after));
            assert.match(error.message, /spec\.selector: Invalid value: field is immutable/);
            assert.deepEqual(pluckMap(cluster.find("StatefulSet", "db"), "spec", "selector"), {
                matchLabels: { app: "db" },
            });
        });

        it("does not wait for updated replicas of a StatefulSet with OnDelete", async () => {
            const before = statefulSet("db");
            (before.spec as PropertyMap).updateStrategy = { type: "OnDelete" };
            cluster.controller = (live) => {
                if (live.kind === "StatefulSet")
                    live.status = {
                        ...completeStatus(live, 2),
                        currentRevision: "r1",
                        updateRevision: `r${String(live.metadata.generation)}`,
                    };
            };
            const { state } = await created(STATEFUL_SET, before);
            const after = structuredClone(before);
            (after.spec as PropertyMap).template = { metadata: { labels: { app: "db", version: "2" } } };
            const updated = await provider.update(STATEFUL_SET, state, before, after, { timeout: 5 });
            assert.equal(pluck(updated, "status", "updateRevision"), "r2");
        });

        it("says how to go on when the object was deleted by someone else", async () => {
            const { state } = await created(CONFIG_MAP, configMap("settings"));
            cluster.objects.clear();
            cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
            const error = await failure(
                provider.update(CONFIG_MAP, state, configMap("settings"), configMap("settings", { level: "two" })),
            );
            assert.match(error.message, /pulumi refresh/);
        });
    });

    describe("delete", () => {
        it("waits for finalizers", async () => {
            const { id, state } = await created(
                CONFIG_MAP,
                configMap("settings", undefined, { finalizers: ["example.com/hold"] }),
            );
            const deleting = provider.delete(CONFIG_MAP, id, state, configMap("settings"), 20);
            await provider.plugin.said("waiting until it is gone; finalizers that hold it: example.com/hold");
            for (const [key, live] of cluster.objects)
                if (live.metadata.name === "settings") cluster.objects.delete(key);
            await deleting;
            assert.ok(cluster.requests.some((request) => request.startsWith("DELETE") && request.includes("settings")));
        });

        it("fails when time is up, naming the finalizers", async () => {
            const { id, state } = await created(
                CONFIG_MAP,
                configMap("settings", undefined, { finalizers: ["example.com/hold"] }),
            );
            const error = await failure(provider.delete(CONFIG_MAP, id, state, configMap("settings"), 1));
            assert.match(error.message, /still there after 1 s; finalizers that hold it: example\.com\/hold/);
        });

        it("does not touch a newer object of the same name", async () => {
            const { id, state } = await created(CONFIG_MAP, configMap("settings"));
            cluster.put(configMap("settings", { level: "newer" }));
            await provider.delete(CONFIG_MAP, id, state, configMap("settings"));
            assert.equal(pluck(cluster.find("ConfigMap", "settings"), "data", "level"), "newer");
        });

        it("takes an object, or a kind, that is gone for deleted", async () => {
            const { id, state } = await created(CONFIG_MAP, configMap("settings"));
            await provider.delete(CONFIG_MAP, id, state);
            await provider.delete(CONFIG_MAP, id, state);
            await provider.delete(urn("example.com/v1:Thing"), "default/x", {
                apiVersion: "example.com/v1",
                kind: "Thing",
                metadata: { name: "x", namespace: "default" },
            });
        });
    });

    describe("read", () => {
        it("shows drift only in what the inputs mention", async () => {
            const inputs = configMap("settings");
            const { id, state } = await created(CONFIG_MAP, inputs);
            const live = cluster.find("ConfigMap", "settings") as Live;
            live.data = { level: "drifted", theirs: "x" };
            live.metadata.annotations = { injected: "by someone" };
            const read = await provider.read(CONFIG_MAP, id, state, inputs);
            assert.deepEqual(read.inputs, configMap("settings", { level: "drifted" }));
            assert.deepEqual(read.properties.data, { level: "drifted", theirs: "x" });
            const drifted = await provider.diff(CONFIG_MAP, read.properties, read.inputs, inputs);
            assert.deepEqual(drifted.kinds, { "data.level": "UPDATE" });
        });

        it("finds no drift in a Secret's stringData that the server keeps as data", async () => {
            const inputs = {
                apiVersion: "v1",
                kind: "Secret",
                metadata: { name: "pw", namespace: "default" },
                stringData: { password: "hunter2" },
            };
            const { id, state } = await created(SECRET, inputs);
            assert.deepEqual((await provider.read(SECRET, id, state, inputs)).inputs, inputs);
        });

        it("answers with an empty id for what is gone", async () => {
            const { id, state } = await created(CONFIG_MAP, configMap("settings"));
            await provider.delete(CONFIG_MAP, id, state);
            assert.equal((await provider.read(CONFIG_MAP, id, state, configMap("settings"))).id, "");
        });

        it("imports by id, without what only the server writes", async () => {
            cluster.put(configMap("theirs", { level: "two" }, { labels: { app: "x" } }));
            const { id, inputs, properties } = await provider.read(CONFIG_MAP, "default/theirs");
            assert.equal(id, "default/theirs");
            assert.deepEqual(inputs, configMap("theirs", { level: "two" }, { labels: { app: "x" } }));
            assert.ok(pluck(properties, "metadata", "uid"));
        });

        it("reports an object that is no longer ready, with its drift", async () => {
            const inputs = statefulSet("db", 2);
            cluster.controller = (live) => {
                if (live.kind === "StatefulSet") live.status = completeStatus(live, 2);
            };
            const { id, state } = await created(STATEFUL_SET, inputs);
            (cluster.find("StatefulSet", "db") as Live).status = {
                ...completeStatus(cluster.find("StatefulSet", "db") as Live, 1),
            };
            const error = await failure(provider.read(STATEFUL_SET, id, state, inputs));
            assert.equal(error.initFailed?.id, id);
            assert.match(error.initFailed?.reasons.join("\n") ?? "", /1 out of 2 replicas/);
            assert.deepEqual(error.initFailed?.inputs, inputs);
        });
    });

    describe("an unreachable cluster", () => {
        it("fails refreshes, updates and deletes with what to do, and lets previews pass with one warning", async () => {
            const inputs = configMap("settings");
            const { id, state } = await created(CONFIG_MAP, inputs);
            await cluster.stop();
            const away = await configured();
            const checked = await away.check(CONFIG_MAP, inputs);
            assert.deepEqual(checked.inputs, inputs);
            const preview = await away.create(CONFIG_MAP, inputs, { preview: true });
            assert.deepEqual(preview.properties, inputs);
            await away.update(CONFIG_MAP, state, inputs, configMap("settings", { level: "two" }), { preview: true });
            await away.plugin.said("previewed without the cluster");
            assert.equal(away.plugin.logged.filter((line) => line.message.includes("previewed without")).length, 1);
            assert.match(
                (await failure(away.create(CONFIG_MAP, inputs))).message,
                /configured Kubernetes cluster is unreachable/,
            );
            assert.match(
                (await failure(away.read(CONFIG_MAP, id, state, inputs))).message,
                /PULUMI_K8S_DELETE_UNREACHABLE="true"/,
            );
            assert.match(
                (await failure(away.delete(CONFIG_MAP, id, state))).message,
                /PULUMI_K8S_DELETE_UNREACHABLE="true"/,
            );
            await cluster.start();
        });

        it("counts its objects as gone with PULUMI_K8S_DELETE_UNREACHABLE=true", async () => {
            const { id, state } = await created(CONFIG_MAP, configMap("settings"));
            await cluster.stop();
            const away = await configured({}, { PULUMI_K8S_DELETE_UNREACHABLE: "true" });
            assert.equal((await away.read(CONFIG_MAP, id, state, configMap("settings"))).id, "");
            await away.delete(CONFIG_MAP, id, state);
            await away.plugin.said("dropped from the state");
            await cluster.start();
        });

        it("treats a certificate it cannot trust as unreachable", async () => {
            const other = new FakeCluster();
            const config = JSON.parse(cluster.kubeconfig) as { clusters: { cluster: PropertyMap }[] };
            await other.start();
            const authority = (JSON.parse(other.kubeconfig) as typeof config).clusters[0]?.cluster[
                "certificate-authority-data"
            ];
            (config.clusters[0] as { cluster: PropertyMap }).cluster["certificate-authority-data"] = authority;
            const distrusting = await configured({ kubeconfig: JSON.stringify(config) });
            assert.match(
                (await failure(distrusting.create(CONFIG_MAP, configMap("x")))).message,
                /unreachable.*certificate/,
            );
            await other.stop();
        });
    });

    describe("preview", () => {
        it("asks the server without changing anything", async () => {
            const { properties } = await provider.create(CONFIG_MAP, configMap("settings"), { preview: true });
            assert.ok(pluck(properties, "metadata", "uid"));
            assert.equal(cluster.find("ConfigMap", "settings"), undefined);
            assert.ok(cluster.requests.some((request) => request.includes("dryRun=All")));
        });

        it("passes over unknown values, missing namespaces, kinds and permissions", async () => {
            const unknown = configMap("settings", { level: UNKNOWN });
            assert.deepEqual((await provider.create(CONFIG_MAP, unknown, { preview: true })).properties, unknown);
            const elsewhere = configMap("settings", undefined, { namespace: "not-yet" });
            assert.deepEqual((await provider.create(CONFIG_MAP, elsewhere, { preview: true })).properties, elsewhere);
            const thing = {
                apiVersion: "example.com/v1",
                kind: "Thing",
                metadata: { name: "x", namespace: "default" },
            };
            assert.deepEqual(
                (await provider.create(urn("example.com/v1:Thing"), thing, { preview: true })).properties,
                thing,
            );
            cluster.intercept = (method) =>
                method === "POST" ? { code: 403, reason: "Forbidden", message: "no" } : undefined;
            await provider.create(CONFIG_MAP, configMap("settings"), { preview: true });
        });

        it("shows what the server refuses", async () => {
            cluster.intercept = (method) =>
                method === "POST" ? { code: 422, reason: "Invalid", message: "data: Invalid value" } : undefined;
            assert.match(
                (await failure(provider.create(CONFIG_MAP, configMap("settings"), { preview: true }))).message,
                /Invalid value/,
            );
        });
    });

    describe("check and diff", () => {
        it("names unnamed objects by the seed, keeps that name, and sets the namespace", async () => {
            const unnamed = { apiVersion: "v1", kind: "ConfigMap", data: {} };
            const [one, again, other] = await Promise.all(
                ["a", "a", "b"].map((seed) => provider.check(CONFIG_MAP, unnamed, {}, seed)),
            );
            const name = pluck(one?.inputs, "metadata", "name");
            assert.match(String(name), /^it-[0-9a-f]{8}$/);
            assert.equal(pluck(again?.inputs, "metadata", "name"), name);
            assert.notEqual(pluck(other?.inputs, "metadata", "name"), name);
            assert.equal(pluck(one?.inputs, "metadata", "annotations", "pulumi.com/autonamed"), "true");
            assert.equal(pluck(one?.inputs, "metadata", "namespace"), "default");
            const kept = await provider.check(CONFIG_MAP, unnamed, one?.inputs, "c");
            assert.equal(pluck(kept.inputs, "metadata", "name"), name);
        });

        it("gives cluster-wide kinds no namespace", async () => {
            const { inputs } = await provider.check(urn("core/v1:Namespace"), {
                apiVersion: "v1",
                kind: "Namespace",
                metadata: { name: "db" },
            });
            assert.equal(pluck(inputs, "metadata", "namespace"), undefined);
        });

        it("refuses what is not a plain object", async () => {
            const { failures } = await provider.check(urn("helm.sh/v3:Release"), { chart: "x" });
            assert.equal(failures.length, 1);
        });

        it("quotes dotted keys and tells updates from replacements", async () => {
            const before = statefulSet("db", 2, { "example.com/a": "1" });
            const after = statefulSet("db", 3, { "example.com/a": "2" });
            (after.spec as PropertyMap).serviceName = "other";
            const diff = await provider.diff(STATEFUL_SET, before, before, after);
            assert.deepEqual(diff.kinds, {
                'metadata.annotations["example.com/a"]': "UPDATE",
                "spec.replicas": "UPDATE",
                "spec.serviceName": "UPDATE_REPLACE",
            });
            assert.deepEqual(diff.replaces, ["spec.serviceName"]);
            assert.equal(diff.deleteBeforeReplace, true);
            assert.equal(diff.detailed, true);
        });

        it("compares with the old inputs, not with what the server added", async () => {
            const inputs = configMap("settings");
            const state = {
                ...inputs,
                metadata: { ...(inputs.metadata as PropertyMap), uid: "x" },
                data: { level: "one", added: "by a webhook" },
            };
            assert.equal((await provider.diff(CONFIG_MAP, state, inputs, inputs)).changed, false);
        });

        it("replaces under a new name when the name changes, and first creates then", async () => {
            const diff = await provider.diff(CONFIG_MAP, configMap("a"), configMap("a"), configMap("b"));
            assert.deepEqual([diff.replaces, diff.deleteBeforeReplace], [["metadata.name"], false]);
        });

        it("replaces ConfigMaps and Secrets by default, and never with the mutable switches", async () => {
            const strict = await configured({ enableConfigMapMutable: "false" });
            const args = [CONFIG_MAP, configMap("a"), configMap("a"), configMap("a", { level: "two" })] as const;
            assert.deepEqual((await strict.diff(...args)).replaces, ["data.level"]);
            assert.deepEqual((await provider.diff(...args)).replaces, []);
            assert.deepEqual((await provider.diff(...args, ["data"])).changed, false);
        });
    });

    it("hands fields over from the create to the resource's own manager with the first update", async () => {
        const before = configMap("settings");
        const { state } = await created(CONFIG_MAP, before);
        await provider.update(CONFIG_MAP, state, before, configMap("settings", { level: "two" }));
        const managers = pluckMaps(cluster.find("ConfigMap", "settings"), "metadata", "managedFields").map((entry) => [
            entry.manager,
            entry.operation,
        ]);
        assert.deepEqual(managers, [[state.__fieldManager, "Apply"]]);
    });

    it("writes and gives up single fields with a Patch resource", async () => {
        cluster.put(configMap("theirs", { level: "one" }));
        const type = urn("core/v1:ConfigMapPatch");
        const inputs = configMap("theirs", { extra: "ours" });
        const { id, properties } = await provider.create(type, inputs);
        assert.deepEqual(pluck(cluster.find("ConfigMap", "theirs"), "data"), { level: "one", extra: "ours" });
        await provider.delete(type, id, properties, inputs);
        assert.deepEqual(pluck(cluster.find("ConfigMap", "theirs"), "data"), { level: "one" });
    });
});
