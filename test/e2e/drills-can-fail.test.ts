import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inContainer } from "../../drills/backup/pods";
import type { Cluster } from "../../drills/cluster";
import { healsItself, type Fault } from "../../drills/faults/fault";
import { streamsCutThenKill } from "../../drills/faults/streams-cut";
import { switchover } from "../../drills/faults/switchovers";
import { brokenPromises } from "../../drills/judgement";
import { processes, resume, signal } from "../../drills/machine/processes";
import { anySession, forgetRound } from "../../drills/ledger/table";
import { runRound, type RoundResult } from "../../drills/round";
import { useCluster } from "./support";

/** A round in which nothing is broken but what the test plants. */
const nothing: Fault = {
    name: "nothing",
    imitates: "an ordinary day",
    bar: "unaffected",
    failover: "forbidden",
    prepare: () => Promise.resolve({ target: "nobody", inject: healsItself, heal: healsItself }),
};

/** Without strict synchronous replication an acknowledged write is on one machine only. */
async function setSynchronousMode(cluster: Cluster, mode: "on" | "off"): Promise<void> {
    const strict = mode === "on";
    await cluster.askPatroni("PATCH", "/config", { synchronous_mode: mode, synchronous_mode_strict: strict });
}

async function synchronousStandbys(cluster: Cluster): Promise<string> {
    const session = await anySession(cluster.readWrite);
    const { rows } = await session.query<{ names: string }>(
        "select current_setting('synchronous_standby_names') as names",
    );
    session.close();
    return rows[0]?.names ?? "";
}

/** The rows of a round that went wrong stay for whoever looks for the reason; here it is known. */
async function forgetAll(cluster: Cluster): Promise<void> {
    const session = await anySession(cluster.readWrite);
    const { rows } = await session.query<{ round: string }>("select distinct round from drills.counters");
    session.close();
    for (const { round } of rows) await forgetRound(cluster.readWrite, round);
}

const kinds = ({ violations }: RoundResult): string[] => [...new Set(violations.map(({ kind }) => kind))].sort();

describe("drills", () => {
    const cluster = useCluster(forgetAll);

    it("find nothing where nothing happened", async function () {
        this.timeout(300_000);
        const result = await runRound(cluster(), nothing);
        assert.deepEqual(brokenPromises(nothing, result), []);
    });

    it("find one acknowledged row that was deleted, and money that was moved by nobody", async function () {
        this.timeout(300_000);
        const result = await runRound(cluster(), nothing, {
            beforeVerdict: async ({ readWrite }) => {
                const session = await anySession(readWrite);
                await session.query(
                    `delete from drills.writes where ctid = (select ctid from drills.writes
                    where round = (select max(round) from drills.counters where round like 'nothing-%') order by written limit 1)`,
                );
                await session.query(
                    `update drills.accounts set balance = balance - 1
                    where account = 7 and round = (select max(round) from drills.counters where round like 'nothing-%')`,
                );
                session.close();
            },
        });
        assert.equal(result.violations.filter(({ kind }) => kind === "lost").length, 1);
        assert.ok(kinds(result).includes("torn"), JSON.stringify(kinds(result)));
        assert.notDeepEqual(brokenPromises(nothing, result), []);
    });

    it("find a standby that does not hold what the primary does", async function () {
        this.timeout(300_000);
        const { name: replica, ssh } = cluster().machineOf(await cluster().asynchronousReplica());
        let replaying: number[] = [];
        try {
            const result = await runRound(cluster(), nothing, {
                beforeVerdict: async () => {
                    replaying = await processes(ssh, "startup");
                    await signal(ssh, "STOP", replaying);
                    // Otherwise all it has to hold may be there already.
                    await sleep(2000);
                },
            });
            assert.deepEqual(kinds(result), ["behind"]);
            assert.match(result.violations[0]?.detail ?? "", new RegExp(`^${replica} against the primary`));
        } finally {
            await resume(ssh, replaying);
        }
    });

    it("find a second instance that accepts writes, because a person promoted it", async function () {
        this.timeout(600_000);
        const promotedByHand: Fault = {
            ...nothing,
            name: "promoted-by-hand",
            async prepare(on) {
                const { name, ssh } = on.machineOf(await on.asynchronousReplica());
                const patroni = await processes(ssh, "patroni");
                const promote = `psql --host /run/postgresql --username postgres --command "select pg_promote()"`;
                return {
                    target: name,
                    async inject() {
                        // Its next loop would demote the instance: sooner than the sampler looks, at times.
                        await signal(ssh, "STOP", patroni);
                        await inContainer(on, name, "postgresql", promote);
                    },
                    heal: () => resume(ssh, patroni),
                };
            },
        };
        const result = await runRound(cluster(), promotedByHand);
        assert.ok(result.twoPrimaries.length > 0, "the sampler saw one primary only");
        assert.notDeepEqual(brokenPromises(promotedByHand, result), []);
        // Its timeline is in the archive: a restore to the newest one shall find the cluster's own. The first switchover after it
        // is two timelines on.
        await cluster().makePrimary((await cluster().standby()).name);
        assert.deepEqual(brokenPromises(switchover, await runRound(cluster(), switchover)), []);
    });

    it("find what asynchronous replication loses, under the fault that loses nothing with the stack's own", async function () {
        this.timeout(900_000);
        const asynchronous: Fault = {
            ...streamsCutThenKill,
            async prepare(on) {
                await setSynchronousMode(on, "off");
                for (let attempt = 0; (await synchronousStandbys(on)) !== ""; attempt += 1) {
                    assert.ok(attempt < 60, "Patroni does not leave the synchronous mode");
                    await sleep(500);
                }
                const prepared = await streamsCutThenKill.prepare(on);
                return {
                    ...prepared,
                    async heal() {
                        await prepared.heal();
                        await setSynchronousMode(on, "on");
                    },
                };
            },
        };
        try {
            const result = await runRound(cluster(), asynchronous);
            assert.ok(result.lost > 0, "asynchronous replication lost nothing: the fault did not bite");
            assert.ok(kinds(result).includes("lost"), JSON.stringify(kinds(result)));
            assert.notDeepEqual(brokenPromises(asynchronous, result), []);
        } finally {
            await setSynchronousMode(cluster(), "on");
        }
        const own = await runRound(cluster(), streamsCutThenKill);
        assert.deepEqual(brokenPromises(streamsCutThenKill, own), []);
    });
});
