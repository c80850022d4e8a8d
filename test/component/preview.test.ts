import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { ValidationError } from "../../components/validation";
import { PostgresHA } from "../../components/postgres-ha";
import { deploy, isKnown, valueOf, type Deployment, type Recorded } from "./mocks";
import { deployPostgres, devArguments, devStack, find, objects } from "./stack";

const identity = ({ urn }: Recorded): string => urn;

describe("a first preview of the dev stack, where nothing is known yet", () => {
    let preview: Deployment<PostgresHA>;
    before(async () => (preview = await deployPostgres(devArguments(), { preview: true })));

    it("shows every resource that the update makes", async () => {
        const { resources } = await devStack();
        assert.deepEqual(preview.resources.map(identity).sort(), resources.map(identity).sort());
    });

    it("promises no connection string and no kubeconfig yet, but keeps both secret", async () => {
        const { connectionString, readOnlyConnectionString, kubeconfig, status } = preview.result;
        for (const output of [connectionString, readOnlyConnectionString, kubeconfig]) {
            assert.equal(await isKnown(output), false);
            assert.equal(await pulumi.isSecret(output), true);
        }
        assert.equal(await isKnown(status), false);
    });

    it("knows where the entries will be", () => {
        assert.deepEqual(preview.result.endpoints.readWrite, [
            "172.30.0.11:5432",
            "172.30.0.12:5432",
            "172.30.0.13:5432",
        ]);
    });

    it("knows the names of all objects", () => {
        const names = objects(preview.resources).map(({ inputs }) => (inputs["metadata"] as { name: string }).name);
        assert.ok(
            names.every((name) => /^postgres(-[a-z0-9-]+)?$/.test(name)),
            names.join(),
        );
    });
});

describe("a later preview, where certificates and passwords are known and the machines are not", () => {
    let preview: Deployment<PostgresHA>;
    before(async () => {
        const known = ["CertificateAuthority", "Certificate", "SigningKey", "KeyPair", "RandomPassword"];
        preview = await deployPostgres(devArguments(), { preview: true, known });
    });

    it("knows the kubeconfig: a machine made anew does not make the cluster unknown", async () => {
        const { kubeconfig } = preview.result;
        assert.equal(await isKnown(kubeconfig), true);
        const config = parse(await valueOf(kubeconfig)) as { clusters: { cluster: { server: string } }[] };
        assert.equal(config.clusters[0]?.cluster.server, "https://172.30.0.11:6443");
    });

    it("sends every object as an update would: nothing else looks changed", async () => {
        const { resources } = await devStack();
        for (const { type, name, inputs } of objects(resources)) {
            const previewed = preview.resources.find((resource) => resource.type === type && resource.name === name);
            assert.deepEqual(previewed?.inputs, inputs, name);
        }
    });

    it("still promises no connection string before the cluster was seen to serve", async () => {
        assert.equal(await isKnown(preview.result.connectionString), false);
        assert.equal(await isKnown(preview.result.caCertificate), true);
    });
});

describe("a fourth machine, added as an agent", () => {
    let before4: Recorded[];
    let after4: Recorded[];
    before(async () => {
        const args = devArguments();
        assert.ok(args.machines.provider === "docker");
        args.machines.machines.push({ name: "machine-4", address: "172.30.0.14" });
        ({ resources: before4 } = await devStack());
        ({ resources: after4 } = await deployPostgres(args));
    });

    it("adds its own resources and neither renames nor removes any", () => {
        const added = after4
            .filter((resource) => !before4.some(({ urn }) => urn === resource.urn))
            .map(({ name }) => name);
        assert.deepEqual(added.sort(), [
            "postgres-images-machine-4",
            "postgres-k3s-machine-4",
            "postgres-machines-machine-4",
            "postgres-machines-machine-4-host-key",
            "postgres-machines-machine-4-power",
        ]);
        assert.equal(after4.length, before4.length + added.length);
    });

    it("joins after the servers, as an agent that knows all of them", () => {
        const { inputs, dependencies } = find(after4, "K3sNode", "postgres-k3s-machine-4");
        assert.equal(inputs["role"], "agent");
        const peers = inputs["peers"] as { name: string }[];
        assert.deepEqual(
            peers.map(({ name }) => name),
            ["machine-1", "machine-2", "machine-3"],
        );
        for (const number of [1, 2, 3]) {
            assert.ok(dependencies.some((urn) => urn.endsWith(`K3sNode::postgres-k3s-machine-${number}`)));
        }
    });

    it("changes no input of what exists but the certificate that names the entries, the roster and the check of the whole", () => {
        const changed = before4
            .filter(({ urn, inputs }) => {
                const now = after4.find((resource) => resource.urn === urn);
                // Looked at when a node joins, and no change of one that has (node.step.ts).
                const { roster, disks } = inputs;
                return (
                    JSON.stringify({ ...now?.inputs, roster, disks }) !== JSON.stringify({ ...inputs, roster, disks })
                );
            })
            .map(({ name }) => name);
        // Not an update of the repository's check: its diff looks at the repository alone.
        assert.deepEqual(changed.sort(), [
            "postgres-patroni-server",
            "postgres-pgbackrest-passphrase-check",
            "postgres-repository-check",
            "postgres-roster",
            "postgres-state",
        ]);
    });
});

describe("arguments that cannot work", () => {
    it("are refused before anything is registered", async () => {
        const args = { ...devArguments(), etcd: { members: 4 }, recovery: { objective: { rto: 1 } } };
        let refused: unknown;
        const { resources } = await deploy(() => {
            try {
                new PostgresHA("postgres", args);
            } catch (error) {
                refused = error;
            }
        });
        assert.ok(refused instanceof ValidationError);
        assert.deepEqual(
            refused.problems.map(({ path }) => path),
            ["etcd.members", "etcd.members", "recovery.objective.rto"],
        );
        assert.deepEqual(resources, []);
    });
});
