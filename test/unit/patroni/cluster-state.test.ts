import assert from "node:assert/strict";
import fc from "fast-check";
import { differences } from "../../../components/patroni/apply-dynamic-config";
import { provider } from "../../../components/patroni/cluster.step";
import { summarise } from "../../../components/patroni/until-whole";
import type { PatroniStateInputs } from "../../../components/patroni/cluster.step";

type Member = Parameters<typeof summarise>[0][number];

const leader: Member = { name: "postgres-0", role: "leader", state: "running", timeline: 1 };
const standby: Member = { name: "postgres-1", role: "sync_standby", state: "streaming", timeline: 1, lag: 0 };
const replica: Member = { name: "postgres-2", role: "replica", state: "streaming", timeline: 1, lag: 0 };

describe("the state of the database cluster", () => {
    it("is serving and redundant with a leader, a synchronous standby and every replica streaming", () => {
        assert.deepEqual(summarise([leader, standby, replica], 3), {
            serving: true,
            redundant: true,
            members: 3,
            healthyMembers: 3,
        });
    });

    it("serves but is not redundant while a member is missing", () => {
        assert.deepEqual(summarise([leader, standby], 3), {
            serving: true,
            redundant: false,
            members: 3,
            healthyMembers: 2,
        });
    });

    it("is not redundant while no replica is the synchronous standby: a failure could lose writes", () => {
        const { serving, redundant } = summarise([leader, { ...standby, role: "replica" }, replica], 3);
        assert.deepEqual({ serving, redundant }, { serving: true, redundant: false });
    });

    it("is not redundant with fewer synchronous standbys than commits are to wait for", () => {
        assert.equal(summarise([leader, standby, replica], 3, 2).redundant, false);
        assert.equal(summarise([leader, standby, { ...replica, role: "sync_standby" }], 3, 2).redundant, true);
    });

    it("is not redundant while a replica only follows the archive or starts", () => {
        for (const state of ["in archive recovery", "starting", "creating replica", "stopped", "running"]) {
            assert.equal(summarise([leader, standby, { ...replica, state }], 3).redundant, false, state);
        }
    });

    it("does not serve without a leader, nor with one that still starts", () => {
        assert.equal(summarise([standby, replica], 3).serving, false);
        assert.equal(summarise([{ ...leader, state: "starting" }, standby, replica], 3).serving, false);
        assert.deepEqual(summarise([], 3), { serving: false, redundant: false, members: 3, healthyMembers: 0 });
    });

    it("does not serve with two leaders", () => {
        assert.equal(summarise([leader, { ...leader, name: "postgres-1" }, standby], 3).serving, false);
    });

    it("never counts more healthy members than there are", () => {
        const member = fc.record({
            name: fc.string(),
            role: fc.constantFrom("leader", "sync_standby", "replica"),
            state: fc.constantFrom("running", "streaming", "stopped"),
        });
        fc.assert(fc.property(fc.array(member), (members) => summarise(members, 3).healthyMembers <= members.length));
    });
});

describe("the dynamic configuration read back", () => {
    const wanted = {
        ttl: 23,
        synchronous_mode: "on",
        postgresql: { parameters: { work_mem: "8MB" }, use_slots: true },
    };

    it("differs nowhere from itself, nor with keys nobody asked for", () => {
        assert.deepEqual(differences(wanted, structuredClone(wanted)), []);
        assert.deepEqual(differences(wanted, { ...wanted, pause: true }), []);
        fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (any) => differences(any, any).length === 0));
    });

    it("names the paths of values that Patroni changed", () => {
        const held = {
            ttl: 30,
            synchronous_mode: "on",
            postgresql: { parameters: { work_mem: "4MB" }, use_slots: true },
        };
        assert.deepEqual(differences(wanted, held), ["ttl", "postgresql.parameters.work_mem"]);
    });

    it("names the paths of values that are missing", () => {
        assert.deepEqual(differences(wanted, { ttl: 23, postgresql: {} }), [
            "synchronous_mode",
            "postgresql.parameters.work_mem",
            "postgresql.use_slots",
        ]);
        assert.deepEqual(differences(wanted, undefined).length, 4);
        assert.deepEqual(differences(wanted, null).length, 4);
    });

    it("keeps texts, numbers and switches apart", () => {
        assert.deepEqual(differences({ a: 1, b: true }, { a: "1", b: "true" }), ["a", "b"]);
    });
});

describe("an update", () => {
    const inputs: PatroniStateInputs = {
        cluster: "postgres",
        namespace: "postgres",
        instances: ["postgres-0", "postgres-1"],
        dynamicConfig: { ttl: 23 },
        servers: [],
        template: "image",
        proxies: {
            namespace: "postgres-proxy",
            name: "postgres-haproxy",
            generation: "1",
            nodes: ["machine-1", "machine-2"],
        },
        machines: [],
        owner: { name: "app", password: "secret" },
    };
    const status = { serving: true, redundant: true, members: 2, healthyMembers: 2 };
    const diff = (change: Partial<PatroniStateInputs>, seen = status) =>
        provider.diff("postgres", { ...inputs, status: seen }, { ...inputs, ...change });

    it("does nothing to a whole cluster whose configuration is as asked for", async () => {
        assert.deepEqual(await diff({}), { changed: false, replaces: [] });
    });

    it("looks again at a cluster that was last seen degraded", async () => {
        assert.deepEqual(await diff({}, { ...status, redundant: false }), { changed: true, replaces: [] });
        assert.deepEqual(await diff({}, { ...status, serving: false }), { changed: true, replaces: [] });
    });

    it("renames no role, and says so before it restarts anything", async () => {
        const renamed = { ...inputs, owner: { ...inputs.owner, name: "orders" } };
        await assert.rejects(
            async () => provider.update?.("postgres", { ...inputs, status }, renamed),
            /database\.owner: the role app was made with the database.*Nothing was restarted/,
        );
    });

    it("writes a changed dynamic configuration in place", async () => {
        assert.deepEqual(await diff({ dynamicConfig: { ttl: 30 } }), { changed: true, replaces: [] });
    });
});
