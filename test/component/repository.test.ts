import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import type { PostgresHAArgs } from "../../components/postgres-ha-args";
import { toArguments } from "../../stacks/config";
import { leaks } from "./leaks";
import { answerFor, type Recorded } from "./mocks";
import { ancestors, deployPostgres, devArguments, devStack, find } from "./stack";

const names = (resources: Recorded[]): string[] => resources.map(({ name }) => name);

describe("the object store of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    it("needs nothing of Kubernetes and of the machines that are nodes", () => {
        const needed = ancestors(resources, find(resources, "ObjectStoreServer", "postgres-store-server"));
        const foreign = [...needed].filter(
            (name) => !/ postgres-store-| postgres-machines-(login|network|image)$/.test(name),
        );
        assert.deepEqual(foreign, []);
        assert.ok(needed.has("MachinePower postgres-store-machine-power"));
        assert.ok(needed.has("DockerVolume postgres-store-volume"));
    });

    it("is a machine of its own, whose only disk is a volume that it does not own", () => {
        const { inputs } = find(resources, "DockerMachine", "postgres-store-machine");
        assert.equal(inputs["container"], "postgres-ha-dev.store");
        assert.deepEqual(inputs["mounts"], { "postgres-ha-dev.objects": "/var/lib/object-store" });
        for (const number of [1, 2, 3]) {
            assert.ok(!("mounts" in find(resources, "DockerMachine", `postgres-machines-machine-${number}`).inputs));
        }
        assert.deepEqual(
            find(resources, "DockerVolume", "postgres-store-volume").inputs["name"],
            "postgres-ha-dev.objects",
        );
    });

    it("is no node: neither k3s nor an image comes to it", () => {
        assert.deepEqual(
            names(resources).filter((name) => /(k3s|images)-store/.test(name)),
            [],
        );
        const { inputs } = find(resources, "PatroniState", "postgres-state");
        assert.ok(!JSON.stringify(inputs).includes("172.30.0.20"));
    });

    it("shows a certificate for its address, signed by an authority of its own", () => {
        const { inputs } = find(resources, "Certificate", "postgres-store-certificate");
        assert.deepEqual([inputs["ipAddresses"], inputs["usages"]], [["172.30.0.20"], ["server"]]);
        const server = find(resources, "ObjectStoreServer", "postgres-store-server").inputs;
        assert.equal(server["authority"], answerFor("postgres-store-ca", "certificate"));
        assert.equal(server["certificate"], answerFor("postgres-store-certificate", "certificate"));
        assert.equal(server["privateKey"], answerFor("postgres-store-certificate", "privateKey"));
        assert.equal(server["instance"], answerFor("postgres-store-machine", "instance"));
    });
});

describe("the check of the repository", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    it("tries from every machine, with pgBackRest of the instances' image, the store as it was made", () => {
        const { inputs } = find(resources, "RepositoryCheck", "postgres-repository-check");
        assert.deepEqual(
            (inputs["machines"] as { name: string }[]).map(({ name }) => name),
            ["machine-1", "machine-2", "machine-3"],
        );
        assert.match(inputs["image"] as string, /^docker\.io\/postgres-ha\/patroni:/);
        assert.deepEqual(inputs["repository"], {
            host: "172.30.0.20",
            port: 9000,
            bucket: "backups",
            region: "us-east-1",
            uriStyle: "path",
            caCertificate: answerFor("postgres-store-ca", "certificate"),
            credentials: {
                type: "key",
                accessKeyId: answerFor("postgres-store-access-key-id", "result"),
                secretAccessKey: answerFor("postgres-store-secret-access-key", "result"),
            },
            path: "/dev/postgres",
        });
    });

    it("comes after store and images, and before etcd and PostgreSQL: nothing is there when it fails", () => {
        const before = ancestors(resources, find(resources, "RepositoryCheck", "postgres-repository-check"));
        assert.ok(before.has("ObjectStoreServer postgres-store-server"));
        for (const number of [1, 2, 3]) {
            assert.ok(before.has(`NodeImages postgres-images-machine-${number}`));
        }
        for (const name of ["postgres-etcd-members", "postgres-patroni-instances"]) {
            const needed = ancestors(resources, find(resources, "StatefulSet", name));
            assert.ok(needed.has("RepositoryCheck postgres-repository-check"), name);
        }
    });
});

describe("a stack whose bucket exists", () => {
    const keys = { accessKeyId: pulumi.secret("SECRET-ID"), secretAccessKey: pulumi.secret("SECRET-KEY") };
    const repository = { provider: "s3", endpoint: "https://s3.example.com", bucket: "backups" };
    let resources: Recorded[];
    before(async () => {
        const args: PostgresHAArgs = {
            ...devArguments(),
            backup: { repository: { ...repository, provider: "s3", ...keys } },
        };
        ({ resources } = await deployPostgres(args));
    });

    it("makes no store, and checks the bucket all the same", () => {
        assert.deepEqual(
            names(resources).filter((name) => name.startsWith("postgres-store")),
            [],
        );
        const { inputs } = find(resources, "RepositoryCheck", "postgres-repository-check");
        assert.equal((inputs["repository"] as { host: string }).host, "s3.example.com");
    });

    it("keeps its keys secret", () => {
        const check = find(resources, "RepositoryCheck", "postgres-repository-check");
        assert.deepEqual(leaks(check.wire, ["SECRET-ID", "SECRET-KEY"], ""), []);
        assert.ok(JSON.stringify(check.inputs).includes("SECRET-KEY"));
        assert.ok(check.additionalSecretOutputs.includes("repository"));
    });

    it("has its keys from the stack's secrets", async () => {
        const { machines } = devArguments();
        const args = await toArguments("dev", { machines, backup: { repository } }, [], undefined, keys);
        assert.deepEqual(args.backup, { repository: { ...repository, ...keys } });
    });
});

describe("a stack without backups", () => {
    it("has neither store nor check nor runner, and keeps the passphrase of a repository that it may have had", async () => {
        const { backup: _, ...args } = devArguments();
        const { resources } = await deployPostgres(args);
        assert.deepEqual(
            names(resources).filter((name) => /-store|repository|backup|pgbackrest/.test(name)),
            ["postgres-pgbackrest", "postgres-pgbackrest-passphrase"],
        );
        find(resources, "StatefulSet", "postgres-patroni-instances");
    });
});
