import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { stackOutputs } from "../../stacks/outputs";
import type { PostgresHA } from "../../components/postgres-ha";
import { leaks } from "./leaks";
import { answerFor, secretValues, valueOf, type Recorded } from "./mocks";
import { deployPostgres, devArguments, devStack, find, kind, objects } from "./stack";

// Looked at is what the program sends: inputs and component outputs, as the engine gets them. Not proven here: that the
// engine encrypts what is marked, that a provider keeps the mark on its outputs, and what a provider logs.
describe("secrets of the dev stack", () => {
    let resources: Recorded[];
    let postgres: PostgresHA;
    let secrets: string[];
    before(async () => {
        ({ resources, result: postgres } = await devStack());
        secrets = secretValues(resources);
    });

    it("are all known to this test: passwords, tokens and private keys", () => {
        const kinds = ["RandomPassword", "CertificateAuthority", "Certificate", "SigningKey", "KeyPair"];
        const count = (wanted: string) => resources.filter((resource) => kind(resource) === wanted).length;
        assert.deepEqual(kinds.map(count), [8, 10, 8, 1, 5]);
        assert.equal(secrets.length, 32);
    });

    it("travel marked as secret, wherever they go", () => {
        assert.deepEqual(
            resources.flatMap(({ name, wire }) => leaks(wire, secrets, name)),
            [],
        );
    });

    it("travel at all: a test that finds nothing would prove nothing", () => {
        const text = JSON.stringify(resources.map(({ inputs }) => inputs));
        const users = ["owner", "superuser", "replication", "rewind"];
        for (const user of users) {
            assert.ok(text.includes(answerFor(`postgres-patroni-${user}-password`, "result")), user);
        }
        assert.ok(text.includes(answerFor("postgres-k3s-token", "result")));
        assert.ok(text.includes(answerFor("postgres-store-secret-access-key", "result")));
        assert.ok(text.includes(answerFor("postgres-patroni-server", "privateKey")));
        const found = leaks({ inputs: find(resources, "Secret", "postgres-patroni-credentials").inputs }, secrets, "");
        assert.equal(found.length, 4, "the same walk finds them once the marks are off");
    });

    it("are in no output that a component announces", () => {
        assert.deepEqual(
            resources.flatMap(({ name, outputs }) => leaks(outputs, secrets, name)),
            [],
        );
    });

    it("are declared secret by the resources that make them", () => {
        for (const resource of resources) {
            const made = { KeyPair: "privateKey", Certificate: "privateKey", CertificateAuthority: "privateKey" };
            const field = { ...made, SigningKey: "privateKey", RandomPassword: "result" }[kind(resource)];
            if (field !== undefined) {
                assert.ok(resource.additionalSecretOutputs.includes(field), resource.name);
            }
        }
    });

    it("are in no ConfigMap, command, argument or environment variable, marked or not", () => {
        for (const { name, inputs } of objects(resources)) {
            const pod = (inputs["spec"] as { template?: { spec: object } } | undefined)?.template?.spec;
            const places = name.endsWith("-config") ? inputs : (pod ?? {});
            assert.deepEqual(leaks(places, secrets, name), []);
        }
    });

    it("reach pods only through Secrets", () => {
        const holders = objects(resources).filter(({ inputs }) => leaks(inputs, secrets, "").length > 0);
        assert.deepEqual([...new Set(holders.map(kind))], ["Secret"]);
        assert.equal(holders.length, 8);
    });

    it("keep the generated passphrase while there are no backups, or another is given: a repository may still need it", async () => {
        const { backup, ...withoutBackups } = devArguments();
        assert.ok(backup);
        const passphrase = pulumi.secret("a-passphrase-of-somebody-s-own");
        for (const args of [withoutBackups, { ...withoutBackups, backup: { ...backup, passphrase } }]) {
            const { resources: others } = await deployPostgres(args);
            const kept = [others, resources].map((each) =>
                find(each, "RandomPassword", "postgres-pgbackrest-passphrase"),
            );
            assert.equal(kept[0]?.urn, kept[1]?.urn);
        }
    });

    it("of the outputs are marked: connection strings, kubeconfig and passphrase, and not the public certificate", async () => {
        const outputs = stackOutputs(postgres);
        assert.equal(await pulumi.isSecret(outputs.connectionString), true);
        assert.equal(await pulumi.isSecret(outputs.readOnlyConnectionString), true);
        assert.equal(await pulumi.isSecret(outputs.kubeconfig), true);
        assert.equal(await pulumi.isSecret(outputs.caCertificate), false);
        assert.ok(outputs.backup);
        assert.equal(await pulumi.isSecret(outputs.backup.passphrase), true);
        assert.equal(await pulumi.isSecret(outputs.backup.latestRecoverableTime), false);
    });
});

describe("the outputs of the dev stack", () => {
    let postgres: PostgresHA;
    before(async () => ({ result: postgres } = await devStack()));

    it("connect over every machine and verify the server in full", async () => {
        const password = answerFor("postgres-patroni-owner-password", "result");
        const hosts = (port: number) => [11, 12, 13].map((last) => `172.30.0.${last}:${port}`).join(",");
        assert.equal(
            await valueOf(postgres.connectionString),
            `postgresql://app:${password}@${hosts(5432)}/app?sslmode=verify-full&connect_timeout=3&target_session_attrs=read-write`,
        );
        assert.equal(
            await valueOf(postgres.readOnlyConnectionString),
            `postgresql://app:${password}@${hosts(5433)}/app?sslmode=verify-full&connect_timeout=3`,
        );
    });

    it("give the authority of PostgreSQL's certificate, not that of another trust domain", async () => {
        assert.equal(await valueOf(postgres.caCertificate), answerFor("postgres-patroni-ca", "certificate"));
    });

    it("name every entry", () => {
        assert.deepEqual(postgres.endpoints, {
            readWrite: ["172.30.0.11:5432", "172.30.0.12:5432", "172.30.0.13:5432"],
            readOnly: ["172.30.0.11:5433", "172.30.0.12:5433", "172.30.0.13:5433"],
            statistics: ["http://172.30.0.11:8404/", "http://172.30.0.12:8404/", "http://172.30.0.13:8404/"],
            services: {
                readWrite: "postgres-rw.postgres-proxy.svc.cluster.local:5432",
                readOnly: "postgres-ro.postgres-proxy.svc.cluster.local:5432",
            },
        });
    });

    it("are the seven names of the contract", () => {
        assert.deepEqual(Object.keys(stackOutputs(postgres)), [
            "connectionString",
            "readOnlyConnectionString",
            "caCertificate",
            "endpoints",
            "kubeconfig",
            "status",
            "backup",
        ]);
    });
});
