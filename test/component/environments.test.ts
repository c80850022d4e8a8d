import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { utils } from "ssh2";
import { parse } from "yaml";
import { defaults, type PostgresHAArgs } from "../../components/postgres-ha-args";
import { toArguments } from "../../stacks/config";
import { leaks } from "./leaks";
import type { Recorded } from "./mocks";
import { deployPostgres, devArguments, find, kind } from "./stack";

const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nTEST-KEY\n-----END OPENSSH PRIVATE KEY-----\n";
const text = (stack: string): string => readFileSync(`Pulumi.${stack}.yaml`, "utf8");

/** The stack's settings as `pulumi.Config` hands them over. */
function settings(stack: string): Record<string, unknown> {
    const { config } = parse(text(stack)) as { config: Record<string, unknown> };
    return Object.fromEntries(
        Object.entries(config).map(([key, value]) => {
            assert.ok(key.startsWith("postgres-ha:"), `${key} is no key of this project`);
            return [key.slice("postgres-ha:".length), value];
        }),
    );
}

const argumentsOf = (stack: string): Promise<PostgresHAArgs> =>
    toArguments(stack, settings(stack), [], pulumi.secret(privateKey));

const count = (resources: Recorded[], wanted: string): number =>
    resources.filter((each) => kind(each) === wanted).length;

const replicas = (resources: Recorded[], name: string): number =>
    (find(resources, "StatefulSet", name).inputs["spec"] as { replicas: number }).replicas;

describe("the settings of the dev stack", () => {
    it("are the arguments that the other tests use, in a subnet of their own", async () => {
        const { haproxy, kubernetes, machines, backup, ...args } = await argumentsOf("dev");
        const { machines: others, backup: otherBackup, ...rest } = devArguments();
        assert.deepEqual(args, rest);
        assert.equal(machines.provider, "docker");
        assert.deepEqual(
            machines.machines.map(({ name }) => name),
            others.machines.map(({ name }) => name),
        );
        const store = (args: PostgresHAArgs["backup"]) =>
            args?.repository.provider === "docker" ? args.repository.machine.name : undefined;
        assert.equal(store(backup), store(otherBackup));
        assert.deepEqual([haproxy, kubernetes], [{}, { apiAddress: machines.machines[0]?.address }]);
    });
});

describe("a preview of the staging stack", () => {
    let resources: Recorded[];
    before(async () => {
        const args = await argumentsOf("staging");
        ({ resources } = await deployPostgres(args, { stack: "staging", preview: true }));
    });

    it("is of three hosts that exist, all servers, with three members and three instances", () => {
        assert.equal(count(resources, "ExistingMachine"), 3);
        assert.equal(count(resources, "DockerMachine"), 0);
        const roles = resources.filter((each) => kind(each) === "K3sNode").map(({ inputs }) => inputs["role"]);
        assert.deepEqual(roles, ["server", "server", "server"]);
        assert.equal(replicas(resources, "postgres-etcd-members"), 3);
        assert.equal(replicas(resources, "postgres-patroni-instances"), 3);
    });

    it("has the private SSH key in no place that is not marked as secret", () => {
        assert.ok(JSON.stringify(resources.map(({ inputs }) => inputs)).includes("TEST-KEY"));
        assert.deepEqual(
            resources.flatMap(({ name, wire, outputs }) => leaks({ wire, outputs }, ["TEST-KEY"], name)),
            [],
        );
    });

    it("refuses to delete or replace what the data goes with, and nothing else", () => {
        const guarded = (flag: "protect" | "retainOnDelete") =>
            resources.filter((each) => each[flag]).map((each) => `${kind(each)} ${each.name}`);
        const expected = ["Namespace postgres-namespace", "StatefulSet postgres-patroni-instances"];
        assert.deepEqual(guarded("protect").sort(), expected);
        assert.deepEqual(guarded("retainOnDelete").sort(), expected);
    });

    it("removes k3s from hosts that stay when the stack goes", () => {
        const nodes = resources.filter((each) => kind(each) === "K3sNode");
        assert.deepEqual(
            nodes.map(({ deletedWith }) => deletedWith),
            ["", "", ""],
        );
    });
});

describe("a preview of the production stack", () => {
    let resources: Recorded[];
    before(async () => {
        const args = await argumentsOf("production");
        ({ resources } = await deployPostgres(args, { stack: "production", preview: true }));
    });

    it("is of five hosts, three servers and two agents, with three members and three instances", () => {
        const nodes = resources.filter((each) => kind(each) === "K3sNode");
        assert.deepEqual(nodes.map(({ name, inputs }) => `${name} ${String(inputs["role"])}`).sort(), [
            "postgres-k3s-db-1 server",
            "postgres-k3s-db-2 server",
            "postgres-k3s-db-3 server",
            "postgres-k3s-db-4 agent",
            "postgres-k3s-db-5 agent",
        ]);
        assert.equal(replicas(resources, "postgres-etcd-members"), 3);
        assert.equal(replicas(resources, "postgres-patroni-instances"), 3);
    });

    it("uses the private addresses between the hosts and the public ones for clients", () => {
        const { dnsNames, ipAddresses } = find(resources, "Certificate", "postgres-patroni-server").inputs;
        for (const last of [21, 22, 23, 24, 25]) {
            assert.ok(
                (ipAddresses as string[]).includes(`198.51.100.${last}`) &&
                    (ipAddresses as string[]).includes(`192.0.2.${last}`),
            );
        }
        assert.ok((dnsNames as string[]).includes("db-5"));
    });
});

describe("the settings of staging and production", () => {
    for (const stack of ["staging", "production"]) {
        it(`of ${stack} have host keys that an SSH client can read, one per host`, () => {
            const { machines } = settings(stack)["machines"] as { machines: { hostKey: string; address: string }[] };
            assert.ok(machines.every(({ hostKey }) => !(utils.parseKey(hostKey) instanceof Error)));
            assert.equal(new Set(machines.map(({ hostKey }) => hostKey)).size, machines.length);
            assert.ok(machines.every(({ address }) => address.startsWith("198.51.100.")));
        });

        it(`of ${stack} hold no secret`, () =>
            assert.doesNotMatch(text(stack), /PRIVATE KEY|secure:|password(?!Generation)/));
    }

    it("of production show every key there is", async () => {
        const args = await argumentsOf("production");
        const shown = settings("production");
        for (const [group, fields] of Object.entries(defaults)) {
            const keys = typeof fields === "object" ? Object.keys(fields) : [];
            const missing = keys.filter((key) => !(key in (shown[group] as object)));
            assert.deepEqual(missing, [], group);
        }
        assert.deepEqual(Object.keys(args.kubernetes ?? {}).sort(), [
            "apiAddress",
            "podCidr",
            "servers",
            "serviceCidr",
        ]);
        // What would keep a newcomer's hosts or clients out stands there without effect.
        for (const key of ["interface", "allowedClients"])
            assert.match(text("production"), new RegExp(`^ +# ${key}: `, "m"));
    });

    it("of each stack explain every key in the lines above it", () => {
        for (const stack of ["dev", "staging", "production"]) {
            const lines = text(stack).split("\n");
            const bare = lines.filter((line, index) => {
                const isKey = /^ {2,6}[\w:-]+:/.test(line);
                return isKey && !/^\s*#/.test(lines[index - 1] ?? "");
            });
            // The user's own parameters are PostgreSQL's to explain.
            assert.deepEqual(
                bare
                    .map((line) => line.trim())
                    .filter((line) => !/^(work_mem|effective_cache_size|random_page_cost):/.test(line)),
                [],
                stack,
            );
        }
    });
});
