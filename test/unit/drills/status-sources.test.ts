import assert from "node:assert/strict";
import { serversUp } from "../../../commands/status/haproxy";
import { entriesOf } from "../../../commands/status/session";
import { stackStateOf, unwrapSecrets, type StateResource } from "../../../commands/status/stack-state";
import { parseCounters } from "../../../drills/machine/resource-counters";

const secret = (value: unknown) => ({
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    plaintext: JSON.stringify(value),
});

describe("sources of the status", () => {
    it("unwraps secrets at any depth of the state", () => {
        const wrapped = { access: secret({ ssh: { privateKey: "key" } }), list: [secret("a"), "b"], none: null };
        assert.deepEqual(unwrapSecrets(wrapped), {
            access: { ssh: { privateKey: "key" } },
            list: ["a", "b"],
            none: null,
        });
    });

    it("splits a connection string with several hosts into entries", () => {
        const entries = entriesOf("postgresql://app:p%40ss@10.0.0.1:5432,10.0.0.2:5432/app?sslmode=verify-full", "ca");
        assert.deepEqual(
            entries.map(({ host, port }) => `${host}:${port}`),
            ["10.0.0.1:5432", "10.0.0.2:5432"],
        );
        assert.deepEqual([entries[0]?.user, entries[0]?.password, entries[0]?.database], ["app", "p@ss", "app"]);
        assert.throws(() => entriesOf("nonsense", "ca"), /not of the form/);
    });

    it("names in HAProxy's statistics the servers that pass their checks", () => {
        const csv = [
            "# pxname,svname,qcur,status,",
            "read-write,FRONTEND,0,OPEN,",
            "read-write,postgres-0,0,UP,",
            "read-write,postgres-1,0,DOWN,",
            "read-write,BACKEND,0,UP,",
            "replicas,postgres-0,0,DOWN,",
            "replicas,postgres-1,0,UP 1/2,",
            "primary-for-reads,postgres-0,0,UP,",
        ].join("\n");
        assert.deepEqual(serversUp(csv), { readWrite: ["postgres-0"], readOnly: ["postgres-1"] });
        const alone = csv.replace("replicas,postgres-1,0,UP 1/2", "replicas,postgres-1,0,DOWN");
        assert.deepEqual(serversUp(alone).readOnly, ["postgres-0"]);
    });

    it("finds machines, instances and members in the state, in order", () => {
        const service = (name: string, component: string, clusterIP: string): StateResource => ({
            urn: `urn:pulumi:dev::p::kubernetes:core/v1:Service::${name}`,
            type: "kubernetes:core/v1:Service",
            inputs: { metadata: { name, labels: { "app.kubernetes.io/name": component } }, spec: { clusterIP } },
            outputs: {},
        });
        const step = (type: string, outputs: Record<string, unknown>): StateResource => ({
            urn: `urn:pulumi:dev::p::pulumi-nodejs:dynamic/postgresha:${type}::x`,
            type: `pulumi-nodejs:dynamic/postgresha:${type}`,
            inputs: {},
            outputs,
        });
        const stack = {
            urn: "",
            type: "pulumi:pulumi:Stack",
            inputs: {},
            outputs: { connectionString: "postgresql://" },
        };
        const resources = [
            stack,
            step("PatroniState", { cluster: "postgres", namespace: "postgres", instances: ["postgres-0"] }),
            step("MachinePower", { container: "c-1", access: { name: "machine-1" } }),
            step("K3sNode", { node: "machine-1", role: "server", access: { name: "machine-1" } }),
            service("postgres-1", "postgresql", "10.43.0.65"),
            service("postgres-0", "postgresql", "10.43.0.64"),
            service("postgres", "postgresql", "None"),
            service("postgres-etcd-0", "etcd", "10.43.0.32"),
        ];
        const state = stackStateOf("dev", resources);
        assert.deepEqual(
            state.instances.map(({ name }) => name),
            ["postgres-0", "postgres-1"],
        );
        assert.deepEqual(state.etcdMembers, [{ name: "postgres-etcd-0", address: "10.43.0.32" }]);
        assert.deepEqual(
            state.machines.map(({ name, container }) => [name, container]),
            [["machine-1", "c-1"]],
        );
        assert.throws(() => stackStateOf("dev", [stack]), /make up/);
    });

    it("reads a machine's counters and refuses anything else", () => {
        assert.deepEqual(parseCounters("1500000\n1048576\n7\n8\n", 2), [
            { cpuMicroseconds: 1_500_000, memory: 1_048_576 },
            { cpuMicroseconds: 7, memory: 8 },
        ]);
        assert.throws(() => parseCounters("1500000\n1048576\n", 2), /4 numbers/);
        assert.throws(() => parseCounters("cat: no such file", 1), /2 numbers/);
    });
});
