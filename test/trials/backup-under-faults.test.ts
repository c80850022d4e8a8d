import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { asSuperuser } from "../../drills/backup/pods";
import { isAtRest, Runner } from "../../drills/backup/runner";
import { Store } from "../../drills/backup/store";
import { tellRunner } from "../../commands/status/backup";
import { postmasterKill } from "../../drills/faults/postmaster-kill";
import { measured, surviveFault, useCluster } from "../e2e/support";

describe("backups under faults", () => {
    const cluster = useCluster();
    const runner = () => new Runner(cluster());

    it("a store that is down for three minutes: writes go on, a failover takes as long as ever, the archive catches up", async function () {
        this.timeout(900_000);
        await runner().idle();
        const store = new Store(cluster());
        const begin = Date.now();
        await store.stop();
        try {
            await runner().until("the status says so", 60, ({ reachable }) => reachable === false);
            await surviveFault(cluster(), postmasterKill);
            const { problem } = await runner().status();
            assert.match(problem ?? "", /store cannot be reached/);
            await sleep(Math.max(0, 180_000 - (Date.now() - begin)));
        } finally {
            await store.start();
        }
        const back = Date.now();
        const segment = await asSuperuser(cluster(), "select pg_walfile_name(pg_switch_wal());");
        await runner().until(`segment ${segment}`, 240, ({ archive }) => (archive?.newest ?? "") >= segment);
        measured("from the store's return until the archive has caught up", (Date.now() - back) / 1000);
        await runner().until("a backup of the new timeline", 300, ({ backups, archive }) => {
            return backups.at(-1)?.timeline === archive?.timeline;
        });
        const { archive } = await runner().check();
        assert.deepEqual(archive?.gaps, []);
    });

    it("a failover in the middle of a backup: it is made again, and complete", async function () {
        this.timeout(900_000);
        // Enough to be hit in the middle: not compressible.
        await asSuperuser(
            cluster(),
            "create table if not exists backup_filler as select md5(random()::text || i) as a, md5(random()::text) as b from generate_series(1, 2500000) i;",
        );
        await runner().idle();
        const before = (await runner().status()).backups.length;
        await tellRunner(cluster().state, cluster().tunnel, "/backup?type=full");
        await runner().until("the backup copies", 120, ({ running }) => (running?.totalBytes ?? 0) > 0);
        const fault = await postmasterKill.prepare(cluster());
        await fault.inject();
        await sleep(1000);
        await cluster().waitUntilHealed();
        const done = await runner().until("backups of the new timeline", 400, (status) => {
            const last = status.backups.at(-1);
            return isAtRest(status) && last?.timeline === status.archive?.timeline;
        });
        assert.ok(done.backups.length > before || done.backups.length === 10);
        assert.equal(done.backups.at(-1)?.error, false);
        const { lastJob, restoreTest } = await runner().run("/restore-test");
        assert.equal(lastJob?.ok, true, lastJob?.message);
        assert.ok(restoreTest?.passedAt);
        await asSuperuser(cluster(), "drop table backup_filler;");
    });
});
