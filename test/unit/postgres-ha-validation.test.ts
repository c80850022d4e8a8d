import assert from "node:assert/strict";
import fc from "fast-check";
import { normalise } from "../../components/normalise";
import { defaults, type PostgresHAArgs } from "../../components/postgres-ha-args";
import { ValidationError } from "../../components/validation";
import { acceptedArguments, complaints, normalised, problemsOf } from "./validation";

const machines = (count: number): PostgresHAArgs["machines"] => ({
    provider: "docker",
    subnet: "172.30.0.0/24",
    machines: Array.from({ length: count }, (_, index) => ({
        name: `machine-${index + 1}`,
        address: `172.30.0.${index + 11}`,
    })),
});

describe("the arguments of PostgresHA", () => {
    it("are accepted with nothing but machines, and filled with the defaults", () => {
        assert.deepEqual(normalise(acceptedArguments()), { ...defaults, ...acceptedArguments() });
    });

    it("keep what is given, each field on its own", () => {
        const { postgres, etcd, recovery } = normalised({
            postgres: { maxConnections: 50 },
            recovery: { objective: { rto: 60 } },
        });
        assert.deepEqual(postgres, { ...defaults.postgres, maxConnections: 50 });
        assert.deepEqual(etcd, defaults.etcd);
        assert.deepEqual(recovery, { objective: { rto: 60, rpo: 0 } });
    });

    it("are refused with every problem at once, in one message that says nothing was changed", () => {
        const bad: PostgresHAArgs = {
            stack: "Dev",
            cluster: "-",
            machines: machines(2),
            kubernetes: { servers: 2, podCidr: "10.43.0.0/16" },
            etcd: { members: 4, storage: "1 GB" },
            postgres: { instances: 1, synchronousStandbyCount: 0, sharedBuffers: "4GB", parameters: { fsync: "off" } },
            database: { name: "postgres" },
            recovery: { objective: { rto: 1 } },
        };
        const paths = problemsOf(bad).map(({ path }) => path);
        assert.deepEqual(paths, [
            "cluster",
            "stack",
            "kubernetes.servers",
            "kubernetes.podCidr",
            "etcd.members",
            "etcd.members",
            "postgres.instances",
            "postgres.synchronousStandbyCount",
            "etcd.storage",
            "postgres.sharedBuffers",
            "postgres.parameters.fsync",
            "database.name",
            "recovery.objective.rto",
        ]);
        assert.throws(
            () => normalise(bad),
            (error: unknown) => {
                assert.ok(error instanceof ValidationError);
                const lines = error.message.split("\n");
                assert.equal(lines[0], "PostgresHA: 13 problems; nothing was changed");
                assert.deepEqual(
                    lines.slice(1).map((line) => line.split(": ")[0]),
                    paths.map((path) => `  ${path}`),
                );
                return true;
            },
        );
    });

    it("are counted in good English", () => {
        assert.throws(
            () => normalise({ ...acceptedArguments(), stack: "" }),
            /^ValidationError: PostgresHA: 1 problem; nothing/,
        );
    });
});

describe("names", () => {
    it("of stack and cluster are DNS labels of at most 32 characters", () => {
        const remedy = "is no name: use 1 to 32 lower-case letters, digits and hyphens, a letter first";
        for (const name of ["Postgres", "1st", "a_b", "a-", "", "a.b", "a".repeat(33)]) {
            assert.deepEqual(complaints({ cluster: name }), [`cluster: "${name}" ${remedy}`]);
            assert.deepEqual(complaints({ stack: name }), [`stack: "${name}" ${remedy}`]);
        }
        for (const name of ["a", "orders-2", "a".repeat(32)]) {
            assert.deepEqual(complaints({ cluster: name, stack: name }), []);
        }
    });

    it("of days are the calendar's: the packages of another day are another image", () => {
        for (const day of ["2026-11-31", "29.11.2026", "today", ""]) {
            assert.deepEqual(complaints({ packagesAsOf: day }), [
                `packagesAsOf: "${day}" is no day; write it as 2026-11-29`,
            ]);
        }
        assert.deepEqual(complaints({ packagesAsOf: "2028-02-29" }), []);
    });

    it("of database and owner are PostgreSQL's, and none that the stack uses itself", () => {
        const remedy =
            "cannot be used; lower-case letters, digits and underscores, and not postgres, template0, template1, replicator, rewind";
        for (const name of ["App", "1app", "a-b", "", "postgres", "replicator", "a".repeat(64), "app'; --", "a b"]) {
            assert.deepEqual(complaints({ database: { name } }), [`database.name: "${name}" ${remedy}`]);
            assert.deepEqual(complaints({ database: { owner: name } }), [`database.owner: "${name}" ${remedy}`]);
        }
        assert.deepEqual(complaints({ database: { name: "_orders_2", owner: "o" } }), []);
        const counted = "is no whole number from 1 on; raise it by one for another password";
        for (const passwordGeneration of [0, 1.5]) {
            assert.deepEqual(complaints({ database: { passwordGeneration } }), [
                `database.passwordGeneration: ${passwordGeneration} ${counted}`,
            ]);
        }
    });
});

describe("counts", () => {
    const etcd = (members: number, count = 9) => complaints({ machines: machines(count), etcd: { members } });

    it("refuses an even number of etcd members, with the two that make sense", () => {
        assert.deepEqual(etcd(4), ["etcd.members: 4 members tolerate no more failures than 3; use 3 or 5"]);
        assert.deepEqual(etcd(6), ["etcd.members: 6 members tolerate no more failures than 5; use 5 or 7"]);
    });

    it("refuses fewer than three etcd members, and more than seven", () => {
        assert.deepEqual(etcd(1), ["etcd.members: 1 members tolerate no failure; use 3, 5 or 7"]);
        assert.deepEqual(etcd(2), ["etcd.members: 2 members tolerate no failure; use 3, 5 or 7"]);
        for (const members of [0, -3, 8, 9, 3.5, NaN]) {
            assert.deepEqual(etcd(members), [`etcd.members: ${members} members are not supported; use 3, 5 or 7`]);
        }
    });

    it("refuses more etcd members than machines", () => {
        assert.deepEqual(etcd(5, 3), [
            "etcd.members: 5 members on 3 machines would share one; add machines or use fewer members",
        ]);
    });

    it("accepts exactly 3, 5 and 7 etcd members on enough machines", () => {
        const accepted = Array.from({ length: 12 }, (_, members) => members).filter(
            (members) => etcd(members).length === 0,
        );
        assert.deepEqual(accepted, [3, 5, 7]);
    });

    it("refuses an even number of servers, one alone, and more than there are machines", () => {
        const servers = (count: number) => complaints({ machines: machines(3), kubernetes: { servers: count } });
        assert.deepEqual(servers(2), ["kubernetes.servers: 2 servers tolerate no failure; use 3, 5 or 7"]);
        assert.deepEqual(servers(1), ["kubernetes.servers: 1 servers tolerate no failure; use 3, 5 or 7"]);
        assert.deepEqual(servers(5), ["kubernetes.servers: 5 servers need as many machines, there are 3"]);
        assert.deepEqual(servers(0), ["kubernetes.servers: 0 servers are not supported; use 3, 5 or 7"]);
    });

    it("refuses more instances than machines, and fewer than strict replication needs", () => {
        const instances = (count: number) => complaints({ postgres: { instances: count } });
        assert.deepEqual(instances(4), [
            "postgres.instances: 4 instances on 3 machines would share one; add machines or use fewer instances",
        ]);
        assert.deepEqual(instances(1), [
            "postgres.instances: 1 is not supported; use 3 to 9",
            "postgres.synchronousStandbyCount: 1 is not possible with 1 instances; use 1 to 1",
        ]);
        assert.deepEqual(instances(2), [
            "postgres.instances: 2 instances: with the loss of either no write is acknowledged; use 3 to 9",
        ]);
    });

    it("refuses as many synchronous standbys as instances, or none", () => {
        const standbys = (count: number) => complaints({ postgres: { synchronousStandbyCount: count } });
        for (const count of [0, 3, -1, 1.5]) {
            assert.deepEqual(standbys(count), [
                `postgres.synchronousStandbyCount: ${count} is not possible with 3 instances; use 1 to 2`,
            ]);
        }
        assert.deepEqual(standbys(2), []);
    });

    it("refuses connections that the memory of instances and proxies does not hold", () => {
        assert.deepEqual(complaints({ postgres: { maxConnections: 600 } }), [
            "postgres.maxConnections: 600 connections need 1712Mi with sharedBuffers; lower it or raise postgres.resources.memory",
            'haproxy.resources.memory: "128Mi" is too small; 152Mi is the least',
        ]);
        const resources = { cpu: "1", memory: "4Gi" };
        const haproxy = { resources: { cpu: "250m", memory: "256Mi" } };
        assert.deepEqual(complaints({ postgres: { maxConnections: 600, resources }, haproxy }), []);
    });

    it("refuses a number of connections outside 20 to 10000", () => {
        for (const maxConnections of [19, 10_001, 0, 100.5]) {
            assert.deepEqual(complaints({ postgres: { maxConnections } }), [
                `postgres.maxConnections: ${maxConnections} is not a number of connections between 20 and 10000`,
            ]);
        }
    });

    it("accepts every combination within the limits, and derives no problem from another's field", () => {
        const combination = fc.record({
            count: fc.integer({ min: 3, max: 9 }),
            more: fc.record({ servers: fc.boolean(), instances: fc.boolean() }),
            rto: fc.integer({ min: 14, max: 120 }),
        });
        fc.assert(
            fc.property(combination, ({ count, more, rto }) => {
                const servers = more.servers && count >= 5 ? 5 : 3;
                const instances = more.instances ? count : 3;
                const change = { kubernetes: { servers }, postgres: { instances }, recovery: { objective: { rto } } };
                assert.deepEqual(complaints({ machines: machines(count), ...change }), []);
            }),
        );
    });
});
