import assert from "node:assert/strict";
import { asSuperuser, switchSegment } from "../../drills/backup/pods";
import { nextGeneration, OtherSettings, type RestoreRequest } from "../../drills/backup/restore";
import { isAtRest, Runner } from "../../drills/backup/runner";
import { Store, type StoreAccess } from "../../drills/backup/store";
import { measured, useCluster } from "./support";

/** docs/runbooks/clone.md, in one stack: a repository of its own is what makes it another one for pgBackRest. */
describe("a restore from another repository", () => {
    const cluster = useCluster(async (opened) => {
        await store.closeReader();
        settings.remove();
        await opened.update();
    });
    let settings: OtherSettings;
    let store: Store;
    let lsn: string;
    // What an earlier run left in the store is not empty, and would be refused.
    const run = nextGeneration();
    const elsewhere = `/elsewhere-${run}`;
    // Where the other stack's backups lie: the running stack's own until then.
    const otherPath = () => `/${cluster().state.stack}/${cluster().state.cluster}`;

    before(() => {
        settings = new OtherSettings(cluster());
        store = new Store(cluster());
    });

    const sql = (text: string) => asSuperuser(cluster(), text);
    const rows = async () => (await sql("select string_agg(id::text, ',' order by id) from clone_probe;")).trim();

    /** The clone, into a repository of its own at this path, with keys for the other one. */
    async function ask(
        path: string,
        { endpoint, caCertificate, accessKeyId, secretAccessKey }: StoreAccess,
    ): Promise<void> {
        const { backup } = cluster().state.outputs;
        assert.ok(backup !== undefined);
        const request: RestoreRequest = {
            target: { lsn },
            generation: nextGeneration(),
            from: {
                stanza: backup.stanza,
                repository: { provider: "s3", endpoint, bucket: "backups", path: otherPath(), caCertificate },
            },
        };
        settings.ask(request, { path });
        await settings.setSecret("restoreAccessKeyId", accessKeyId);
        await settings.setSecret("restoreSecretAccessKey", secretAccessKey);
        await settings.setSecret("restorePassphrase", backup.passphrase);
    }

    it("is preceded by one of its own: the running cluster archives there and makes a full backup at once", async function () {
        this.timeout(600_000);
        const runner = new Runner(cluster());
        await runner.idle();
        await sql(
            "drop table if exists clone_probe; create table clone_probe (id int); insert into clone_probe values (1), (2);",
        );
        lsn = (await sql("select pg_current_wal_insert_lsn();")).trim();
        await sql("insert into clone_probe values (3);");
        await runner.archived(await switchSegment(cluster()), 120);
        settings.moveRepository(elsewhere);
        await settings.update();
        const { backups } = await runner.until(
            "a full backup in the new place",
            200,
            (status) => status.backups.length === 1 && isAtRest(status),
        );
        assert.match(backups[0]?.label ?? "", /^\d{8}-\d{6}F$/);
        assert.deepEqual((await runner.check()).archive?.gaps, []);
    });

    it("is refused where the own repository is not empty, while the database goes on", async function () {
        this.timeout(600_000);
        await ask(elsewhere, store.access);
        const { status, output } = settings.pulumi("up");
        assert.notEqual(status, 0);
        assert.match(output, /among this stack's own backups.*Nothing was stopped or changed/s);
        await sql("insert into clone_probe values (99); delete from clone_probe where id = 99;");
    });

    it("has, asked for anew with keys that can only read, the other database up to the place in the WAL", async function () {
        this.timeout(900_000);
        const reader = await store.openReader();
        const statuses = [await store.put(store.access, "backups/probe"), await store.put(reader, "backups/probe")];
        assert.deepEqual(statuses, ["200", "403"]);
        await ask(`/clone-${run}`, reader);
        const begin = Date.now();
        await settings.update();
        measured("a clone, until every layer is whole", (Date.now() - begin) / 1000);
        assert.equal(await rows(), "1,2");
        await sql("insert into clone_probe values (4);");
        const runner = new Runner(cluster());
        await runner.archived(await switchSegment(cluster()), 120);
        const { backups } = await runner.until("a backup of the clone", 200, (status) => status.backups.length > 0);
        assert.equal(backups.at(-1)?.error, false);
    });

    it("is over with the own repository: every row of before is there, and none of the clone's", async function () {
        this.timeout(900_000);
        await store.closeReader();
        settings.ask({ target: { latest: true }, generation: nextGeneration() });
        await settings.update();
        assert.equal(await rows(), "1,2,3");
        await new Runner(cluster()).idle();
    });
});
