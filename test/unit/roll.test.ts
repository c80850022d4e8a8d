import assert from "node:assert/strict";
import { rollOutdated } from "../../components/roll";
import type { SshConnection } from "../../components/machines/ssh";

interface FakePod {
    revision: string;
    ready: boolean;
    /** @default "machine-1" */
    node?: string;
}

/** The node that is silent in every test. */
const silent = "machine-9";

const set = { cluster: "orders", namespace: "orders", name: "orders-etcd", component: "etcd" };

/** A Kubernetes whose controller makes deleted pods anew with the present template, and what was done in order. */
function cluster(pods: Record<string, FakePod>): { ssh: SshConnection; events: string[] } {
    const events: string[] = [];
    const answer = (value: unknown) => Promise.resolve({ exitCode: 0, stdout: JSON.stringify(value), stderr: "" });
    const run = (command: string) => {
        const deleted = /delete pod (\S+)/.exec(command)?.[1];
        if (deleted !== undefined) {
            events.push(`delete ${deleted}`);
            pods[deleted] = { revision: "new", ready: true };
            return answer({});
        }
        if (command.includes("get statefulset orders-etcd")) {
            return answer({
                metadata: { generation: 2 },
                status: { observedGeneration: 2, updateRevision: "new" },
            });
        }
        if (command.includes("get nodes")) {
            const items = ["machine-1", silent].map((name) => ({
                metadata: { name },
                status: { conditions: [{ type: "Ready", status: name === silent ? "Unknown" : "True" }] },
            }));
            return answer({ items });
        }
        if (command.includes("get pods")) {
            assert.match(command, /app.kubernetes.io\/name=etcd/);
            const items = Object.entries(pods).map(([name, { revision, ready, node = "machine-1" }]) => ({
                metadata: { name, labels: { "controller-revision-hash": revision } },
                spec: { nodeName: node },
                status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
            }));
            return answer({ items });
        }
        const asked = /get pod (\S+) -o json/.exec(command)?.[1];
        if (asked !== undefined) {
            events.push(`look at ${asked}`);
            return answer({ status: { conditions: [{ type: "Ready", status: "True" }] } });
        }
        return answer("pod/made");
    };
    return { ssh: { run } as unknown as SshConnection, events };
}

const old: FakePod = { revision: "old", ready: true };
const current: FakePod = { revision: "new", ready: true };

describe("the roll of a set to a new template", () => {
    it("restarts one after another, each when all are well", async () => {
        const { ssh, events } = cluster({ "orders-etcd-0": old, "orders-etcd-1": old, "orders-etcd-2": current });
        await rollOutdated(ssh, set, { whole: () => Promise.resolve(events.push("whole")) });
        assert.deepEqual(events, ["whole", "delete orders-etcd-0", "whole", "delete orders-etcd-1", "whole"]);
    });

    it("begins with what is broken, which nobody misses", async () => {
        const { ssh, events } = cluster({ "orders-etcd-0": old, "orders-etcd-1": { ...old, ready: false } });
        await rollOutdated(ssh, set, { whole: () => Promise.resolve(events.push("whole")) });
        assert.deepEqual(events, ["delete orders-etcd-1", "whole", "delete orders-etcd-0", "whole"]);
    });

    it("restarts nobody while one is on a machine that is off, and does not wait for it", async () => {
        const off = { ...old, ready: false, node: silent };
        const { ssh, events } = cluster({ "orders-etcd-0": old, "orders-etcd-1": off });
        const rolled = rollOutdated(ssh, set, { whole: () => Promise.resolve(events.push("whole")) });
        await assert.rejects(
            rolled,
            /orders-etcd-1 on machine-9\. Switch the machine on.*No pod that is well was restarted/,
        );
        assert.deepEqual(events, []);
        const broken = { ...old, ready: false };
        const all = cluster({ "orders-etcd-0": broken, "orders-etcd-1": off, "orders-etcd-2": broken });
        const mended = rollOutdated(all.ssh, set, { whole: () => Promise.resolve(all.events.push("whole")) });
        await assert.rejects(mended, /orders-etcd-1 on machine-9/);
        assert.deepEqual(all.events, ["delete orders-etcd-0", "delete orders-etcd-2"]);
    });

    it("takes what is not ready for broken only where it is", async () => {
        const unready = { ...old, ready: false };
        const { ssh, events } = cluster({ "orders-etcd-0": unready, "orders-etcd-1": unready });
        await rollOutdated(ssh, set, {
            whole: () => Promise.resolve(events.push("whole")),
            broken: () => Promise.resolve(["orders-etcd-1"]),
            prepare: (name) => Promise.resolve(void events.push(`prepare ${name}`)),
        });
        const orderly = ["whole", "prepare orders-etcd-0", "delete orders-etcd-0", "whole"];
        assert.deepEqual(events, ["delete orders-etcd-1", ...orderly]);
    });

    it("gives what was broken some time to get well before the next, where it is told to", async () => {
        const broken = { ...old, ready: false };
        const { ssh, events } = cluster({ "orders-etcd-0": broken, "orders-etcd-1": broken });
        await rollOutdated(ssh, set, { whole: () => Promise.resolve(), patience: 60 });
        assert.deepEqual(events, [
            ...["delete orders-etcd-0", "look at orders-etcd-0"],
            ...["delete orders-etcd-1", "look at orders-etcd-1"],
        ]);
    });

    it("restarts none while one is missing: the others are needed", async () => {
        const { ssh, events } = cluster({ "orders-etcd-0": old, "orders-etcd-1": old });
        const missing = () => Promise.reject(new Error("orders-etcd-2 is missing"));
        await assert.rejects(rollOutdated(ssh, set, { whole: missing }), /orders-etcd-2 is missing/);
        assert.deepEqual(events, []);
    });

    it("waits for nothing where every pod has the template", async () => {
        const { ssh, events } = cluster({ "orders-etcd-0": current });
        await rollOutdated(ssh, set, { whole: () => Promise.resolve(events.push("whole")) });
        assert.deepEqual(events, []);
    });

    it("keeps to the order that is asked for, and prepares each", async () => {
        const { ssh, events } = cluster({ "orders-etcd-0": old, "orders-etcd-1": old });
        await rollOutdated(ssh, set, {
            whole: () => Promise.resolve(),
            order: (names) => Promise.resolve([...names].reverse()),
            prepare: (name) => Promise.resolve(void events.push(`prepare ${name}`)),
        });
        assert.deepEqual(events, [
            ...["prepare orders-etcd-1", "delete orders-etcd-1"],
            ...["prepare orders-etcd-0", "delete orders-etcd-0"],
        ]);
    });
});
