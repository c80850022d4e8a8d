import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { asSuperuser, switchSegment } from "../../drills/backup/pods";
import { Runner } from "../../drills/backup/runner";
import { Store } from "../../drills/backup/store";
import { tellRunner } from "../../commands/status/backup";
import { postmasterKill } from "../../drills/faults/postmaster-kill";
import { measured, surviveFault, useCluster } from "./support";

// Enough for a backup to be hit in its middle: not compressible.
const filler =
    "create table if not exists backup_filler as select md5(random()::text || i) as a, md5(random()::text) as b from generate_series(1, 1500000) i;";

describe("backups under faults", () => {
    const cluster = useCluster();
    const runner = () => new Runner(cluster());
    /** On a host that gets little of its processors the statement may be what ends an instance; it is not the subject. */
    const fill = async (attempts: number): Promise<void> => {
        try {
            await asSuperuser(cluster(), filler);
        } catch (error) {
            if (attempts === 1) throw error;
            await cluster().waitUntilHealed();
            await fill(attempts - 1);
        }
    };

    it("a store that is down for three minutes: writes go on, a failover takes as long as ever, the archive catches up", async function () {
        this.timeout(900_000);
        await runner().idle();
        const store = new Store(cluster());
        const begin = Date.now();
        await store.stop();
        try {
            await runner().until("the status says so", 60, ({ reachable }) => reachable === false);
            // What only the primary was to archive: its successor must have it, and do it.
            for (let segment = 0; segment < 5; segment += 1) await switchSegment(cluster());
            await surviveFault(cluster(), postmasterKill);
            const { problem } = await runner().status();
            assert.match(problem ?? "", /store cannot be reached/);
            await sleep(Math.max(0, 180_000 - (Date.now() - begin)));
        } finally {
            await store.start();
        }
        const back = Date.now();
        const segment = await switchSegment(cluster());
        await runner().archived(segment, 240);
        measured("from the store's return until the archive has caught up", (Date.now() - back) / 1000);
        await runner().backedUp(300);
        const { archive, backups } = await runner().check();
        assert.deepEqual(archive?.gaps, []);
        // Older than the fault: nothing was left out by counting from a later backup.
        assert.ok((backups[0]?.timeline ?? Infinity) < (archive?.timeline ?? 0));
    });

    it("three failovers in a row: PostgreSQL archives on, with no gap", async function () {
        this.timeout(600_000);
        await runner().idle();
        for (let turn = 0; turn < 3; turn += 1) {
            await switchSegment(cluster());
            const { timeline } = await cluster().nextPrimary(60);
            const fault = await postmasterKill.prepare(cluster());
            await fault.inject();
            await cluster().nextPrimary(60, timeline);
            await cluster().waitUntilHealed();
        }
        const segment = await switchSegment(cluster());
        // The archiver goes in order: what it cannot archive, it does not pass.
        for (let attempt = 0; ; attempt += 1) {
            const archived = await asSuperuser(cluster(), "select last_archived_wal from pg_stat_archiver;");
            if (archived >= segment) break;
            assert.ok(attempt < 60, `${segment} is waited for, the last that was archived is ${archived}`);
            await sleep(1000);
        }
        assert.deepEqual((await runner().check()).archive?.gaps, []);
    });

    it("a failover in the middle of a backup: it is made again, and complete", async function () {
        this.timeout(900_000);
        await fill(3);
        const { backups, lastJob: earlier } = await runner().idle();
        const before = backups.map(({ label }) => label);
        await tellRunner(cluster().state, cluster().tunnel, "/backup?type=full");
        const fault = await postmasterKill.prepare(cluster());
        await runner().until("the backup begins", 120, ({ running }) => running !== null);
        await sleep(1000);
        await fault.inject();
        const hit = await runner().until(
            "the backup ends",
            120,
            ({ lastJob }) => lastJob?.finishedAt !== earlier?.finishedAt,
        );
        assert.equal(hit.lastJob?.ok, false, "the backup was done before the fault");
        await cluster().waitUntilHealed();
        await runner().backedUp(400);
        const last = (await runner().idle()).backups.at(-1);
        assert.ok(last !== undefined && !before.includes(last.label) && !last.error, JSON.stringify(last));
        const { lastJob, restoreTest } = await runner().run("/restore-test");
        assert.equal(lastJob?.ok, true, lastJob?.message);
        assert.ok(restoreTest?.passedAt);
        await asSuperuser(cluster(), "drop table backup_filler;");
    });
});
