import assert from "node:assert/strict";
import type { types } from "@pulumi/kubernetes";
import type { Recorded } from "./mocks";
import { ancestors, deployPostgres, devArguments, devStack, find } from "./stack";

describe("the backup runner of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    const deployment = () =>
        find(resources, "Deployment", "postgres-backup-deployment")
            .inputs as unknown as types.output.apps.v1.Deployment;
    const pod = () => deployment().spec.template.spec;

    it("is one, and never two while it is made anew", () => {
        assert.equal(deployment().spec.replicas, 1);
        assert.deepEqual(deployment().spec.strategy, {
            type: "RollingUpdate",
            rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
        });
    });

    it("knows the instances by the names that their certificate has, without DNS", () => {
        const { dnsNames } = find(resources, "Certificate", "postgres-pgbackrest-server").inputs;
        const hosts = pod().hostAliases.map(({ ip, hostnames }) => [ip, ...hostnames]);
        assert.deepEqual(hosts, [
            ["10.43.0.64", "postgres-0"],
            ["10.43.0.65", "postgres-1"],
            ["10.43.0.66", "postgres-2"],
        ]);
        assert.deepEqual(dnsNames, ["postgres-0", "postgres-1", "postgres-2"]);
    });

    it("has no access to the Kubernetes API and no right beyond the restricted level", () => {
        assert.equal(pod().automountServiceAccountToken, false);
        assert.equal(pod().securityContext.runAsNonRoot, true);
        assert.equal(pod().containers[0]?.securityContext.readOnlyRootFilesystem, true);
    });

    it("mounts only what exists, with room for a restore test", () => {
        const mounted = pod().containers[0]?.volumeMounts.map(({ name }) => name) ?? [];
        const volumes = pod().volumes;
        assert.deepEqual(mounted.sort(), volumes.map(({ name }) => name).sort());
        assert.equal(volumes.find(({ name }) => name === "scratch")?.emptyDir.sizeLimit, "10Gi");
    });

    it("gives the runner alone the instances over TLS, and neither of them the other's key", () => {
        const secret = (name: string) => find(resources, "Secret", name).inputs["stringData"] as Record<string, string>;
        assert.ok(secret("postgres-pgbackrest-runner-settings")["runner.conf"]?.includes("pg3-host=postgres-2"));
        assert.ok(!("runner.conf" in secret("postgres-pgbackrest-settings")));
        assert.notEqual(
            secret("postgres-pgbackrest-backup-runner-tls")["tls.key"],
            secret("postgres-pgbackrest-pgbackrest-tls")["tls.key"],
        );
    });
});

describe("a stack that was asked for a restore", () => {
    it("hands the request to the instances and its generation to the state, without any secret", async () => {
        const { resources } = await deployPostgres({
            ...devArguments(),
            restore: { target: { name: "before migration" }, generation: 3 },
        });
        const { data } = find(resources, "ConfigMap", "postgres-pgbackrest-restore").inputs;
        assert.deepEqual(JSON.parse((data as Record<string, string>)["restore.json"] ?? ""), {
            generation: 3,
            options: ["--type=name", "--target=before migration", "--target-action=promote"],
        });
        assert.deepEqual(find(resources, "PatroniState", "postgres-state").inputs["rebirth"], {
            generation: 3,
            etcdMembers: ["postgres-etcd-0", "postgres-etcd-1", "postgres-etcd-2"],
        });
    });

    it("changes no pod: the request is read when an instance starts", async () => {
        const set = (resources: Recorded[]) => find(resources, "StatefulSet", "postgres-patroni-instances").inputs;
        const { resources } = await deployPostgres({
            ...devArguments(),
            restore: { target: { latest: true }, generation: 1 },
        });
        assert.deepEqual(set(resources), set((await devStack()).resources));
    });

    it("asks the repository first, with what the instances will read: nothing is written down before", async () => {
        const { resources } = await deployPostgres({
            ...devArguments(),
            restore: { target: { latest: true }, generation: 1 },
        });
        const check = find(resources, "RestorePreparation", "postgres-pgbackrest-restore-preparation");
        const settings = find(resources, "Secret", "postgres-pgbackrest-settings");
        assert.deepEqual(check.inputs["files"], settings.inputs["stringData"]);
        assert.ok(check.additionalSecretOutputs.includes("files"));
        const written = ["Secret postgres-pgbackrest-settings", "Secret postgres-pgbackrest-runner-settings"];
        for (const each of [...written, "ConfigMap postgres-pgbackrest-restore"]) {
            const [type = "", name = ""] = each.split(" ");
            const before = ancestors(resources, find(resources, type, name));
            assert.ok(before.has("RestorePreparation postgres-pgbackrest-restore-preparation"), each);
        }
        assert.ok(ancestors(resources, check).has("RepositoryCheck postgres-repository-check"));
    });

    it("is not asked about where nothing is to be restored", async () => {
        const { resources } = await devStack();
        assert.ok(!resources.some(({ type }) => type.endsWith("RestorePreparation")));
    });
});
