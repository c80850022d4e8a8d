import assert from "node:assert/strict";
import fc from "fast-check";
import type { Member } from "../../../components/patroni/api";
import { nextRestart, restartPending, type Restartable } from "../../../components/patroni/pending-restarts";

interface Instance {
    name: string;
    /** What it runs with. */
    runs: Record<string, number>;
}

const shared = ["max_connections", "max_worker_processes"];

/**
 * Patroni as its sources have it (postgresql/config.py, effective_configuration): a replica starts with its primary's
 * value where that is higher, and says that it waits for another restart. Not real PostgreSQL.
 */
class FakeCluster implements Restartable {
    readonly log: string[] = [];
    instances: Instance[];
    leader = "postgres-0";
    standby = "postgres-1";

    constructor(
        before: Record<string, number>,
        private readonly wanted: Record<string, number>,
        private readonly broken?: string,
    ) {
        this.instances = [0, 1, 2].map((index) => ({ name: `postgres-${index}`, runs: { ...before } }));
    }

    private of(name: string): Instance {
        const found = this.instances.find((instance) => instance.name === name);
        assert.ok(found);
        return found;
    }

    members(): Promise<Member[]> {
        return Promise.resolve(
            this.instances.map(({ name, runs }) => {
                const differing = Object.keys(this.wanted).filter((key) => runs[key] !== this.wanted[key]);
                const reasons = differing.map((key) => [
                    key,
                    { old_value: String(runs[key]), new_value: String(this.wanted[key]) },
                ]);
                const role = name === this.leader ? "leader" : name === this.standby ? "sync_standby" : "replica";
                return {
                    name,
                    role,
                    state: role === "leader" ? "running" : "streaming",
                    ...(differing.length > 0
                        ? { pending_restart: true, pending_restart_reason: Object.fromEntries(reasons) as never }
                        : {}),
                };
            }),
        );
    }

    whole(): Promise<void> {
        this.log.push("whole");
        return Promise.resolve();
    }

    private start(instance: Instance): void {
        const primary = this.of(this.leader).runs;
        for (const [key, value] of Object.entries(this.wanted)) {
            const least = instance.name === this.leader || !shared.includes(key) ? value : (primary[key] ?? value);
            instance.runs[key] = Math.max(value, least);
        }
        for (const replica of this.instances) {
            for (const key of shared) assert.ok((replica.runs[key] ?? 0) >= (this.of(this.leader).runs[key] ?? 0), key);
        }
    }

    restart(name: string, role: "primary" | "replica"): Promise<void> {
        this.log.push(`restart ${name}`);
        assert.equal(role === "primary", name === this.leader);
        if (name === this.broken) return Promise.reject(new Error("restart failed"));
        if (name === this.standby) {
            this.standby = this.instances.find((each) => ![name, this.leader].includes(each.name))?.name ?? "";
        }
        this.start(this.of(name));
        return Promise.resolve();
    }

    switchOver(leader: string): Promise<void> {
        this.log.push(`switchover from ${leader}`);
        assert.equal(leader, this.leader);
        this.leader = this.standby;
        this.standby = leader;
        this.start(this.of(leader));
        return Promise.resolve();
    }

    get done(): string[] {
        return this.log.filter((entry) => entry !== "whole");
    }
}

describe("changed parameters that need a restart", () => {
    it("restart nothing when no instance waits for it", async () => {
        const cluster = new FakeCluster({ max_connections: 200 }, { max_connections: 200 });
        assert.deepEqual(await restartPending(cluster), []);
        assert.deepEqual(cluster.log, []);
    });

    it("restart the replicas, the synchronous standby last, and hand over before the old primary's", async () => {
        const cluster = new FakeCluster(
            { shared_buffers: 256, max_connections: 200 },
            { shared_buffers: 128, max_connections: 300 },
        );
        await restartPending(cluster);
        assert.deepEqual(cluster.done, ["restart postgres-2", "restart postgres-1", "switchover from postgres-0"]);
    });

    it("restart only in a whole cluster, and look again after each", async () => {
        const cluster = new FakeCluster({ shared_buffers: 256 }, { shared_buffers: 128 });
        await restartPending(cluster);
        const around = cluster.log.flatMap((entry, index) =>
            entry === "whole" ? [] : [cluster.log[index - 1], cluster.log[index + 1]],
        );
        assert.deepEqual(new Set(around), new Set(["whole"]));
    });

    it("restart the primary in place first when replicas may not have less than it", async () => {
        const cluster = new FakeCluster({ max_connections: 300 }, { max_connections: 200 });
        await restartPending(cluster);
        assert.deepEqual(cluster.done, ["restart postgres-0", "restart postgres-2", "restart postgres-1"]);
    });

    it("raise on the replicas before they lower on the primary", async () => {
        const cluster = new FakeCluster(
            { max_connections: 300, max_worker_processes: 8 },
            { max_connections: 200, max_worker_processes: 16 },
        );
        await restartPending(cluster);
        const replicas = ["restart postgres-2", "restart postgres-1"];
        assert.deepEqual(cluster.done.slice(0, 3), [...replicas, "restart postgres-0"]);
        assert.equal(cluster.done.length, 5);
    });

    it("compare numbers as numbers: 90 is less than 200", () => {
        const member = (old: string, now: string): Member => ({
            ...{ name: "postgres-0", role: "leader", state: "running", pending_restart: true },
            pending_restart_reason: { max_connections: { old_value: old, new_value: now } },
        });
        assert.equal(nextRestart([member("200", "90")])?.how, "restart the primary in place");
        assert.equal(nextRestart([member("90", "200")])?.how, "switch over");
    });

    it("leave the primary as it is when a replica does not start with them", async () => {
        const cluster = new FakeCluster({ shared_buffers: 256 }, { shared_buffers: 9_999_999 }, "postgres-2");
        await assert.rejects(restartPending(cluster), /restart failed/);
        assert.deepEqual(cluster.done, ["restart postgres-2"]);
        assert.equal(cluster.leader, "postgres-0");
    });

    it("end after a bounded number of restarts when they do not help", async () => {
        const cluster = new FakeCluster({ shared_buffers: 256 }, { shared_buffers: 128 });
        cluster.restart = () => Promise.resolve();
        await assert.rejects(restartPending(cluster), /postgres-0, postgres-1, postgres-2: parameters still wait/);
    });

    it("reach every instance whatever is raised and lowered, and no replica ever has less than its primary", async () => {
        const values = fc.record({
            max_connections: fc.integer({ min: 1, max: 9 }),
            max_worker_processes: fc.integer({ min: 1, max: 9 }),
            shared_buffers: fc.integer({ min: 1, max: 9 }),
        });
        await fc.assert(
            fc.asyncProperty(values, values, async (before, wanted) => {
                const cluster = new FakeCluster(before, wanted);
                await restartPending(cluster);
                assert.deepEqual(
                    cluster.instances.map(({ runs }) => runs),
                    Array(3).fill({ ...wanted }),
                );
            }),
        );
    });
});
