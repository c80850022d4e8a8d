import assert from "node:assert/strict";
import { machineDelete } from "../../drills/faults/machine-delete";
import { asSuperuser, kubectl, switchSegment } from "../../drills/backup/pods";
import { Runner } from "../../drills/backup/runner";
import { Store } from "../../drills/backup/store";
import { Cluster } from "../../drills/cluster";
import { measured, useCluster } from "./support";

describe("loss of all data", () => {
    const cluster = useCluster();

    /** Rows, and every one of them in the repository. */
    async function writeAndArchive(count: number): Promise<void> {
        await asSuperuser(
            cluster(),
            `drop table if exists loss_probe; create table loss_probe as select id from generate_series(1, ${count}) id;`,
        );
        const segment = await switchSegment(cluster());
        const runner = new Runner(cluster());
        await runner.archived(segment, 120);
        await runner.idle();
    }

    it("with the store out of reach initialises nothing; with the store back pulumi up restores every row", async function () {
        this.timeout(1_200_000);
        await writeAndArchive(5000);
        const store = new Store(cluster());
        const names = cluster().state.instances.map(({ name }) => name);
        await store.refuse();
        try {
            const claims = names.map((name) => `data-${name}`).join(" ");
            await kubectl(cluster(), `delete pvc ${claims} --wait=false`);
            await kubectl(cluster(), `delete pods ${names.join(" ")} --grace-period=1 --wait=true`);
            const failed = cluster().tryUpdate();
            assert.notEqual(failed.status, 0, failed.output);
            assert.match(failed.output, /nothing was initialised: .*store cannot be reached/);
            for (const name of names) {
                const held = await kubectl(cluster(), `exec ${name} -c backup-agent -- ls /data`);
                assert.ok(!held.split("\n").includes("pgdata"), `${name}: ${held}`);
            }
        } finally {
            await store.admit();
        }
        const begin = Date.now();
        const healed = cluster().tryUpdate();
        assert.equal(healed.status, 0, healed.output);
        await cluster().waitUntilRedundant();
        measured("all data lost, etcd intact: pulumi up until every layer is whole", (Date.now() - begin) / 1000);
        assert.equal(await asSuperuser(cluster(), "select count(*) from loss_probe;"), "5000");
    });

    it("with every machine of the cluster: pulumi up brings back every archived row, and backups go on", async function () {
        this.timeout(1_800_000);
        await writeAndArchive(7000);
        for (const { name } of cluster().state.machines) {
            const fault = machineDelete("machine-delete", "everything is lost", () => Promise.resolve(name));
            await (await fault.prepare(cluster())).inject();
        }
        const begin = Date.now();
        const { status, output } = cluster().tryUpdate();
        assert.equal(status, 0, output);
        // New machines have new keys: the old connections lead nowhere.
        const anew = await Cluster.open();
        try {
            await anew.waitUntilRedundant();
            measured("total loss: pulumi up until every layer is whole", (Date.now() - begin) / 1000);
            assert.equal(await asSuperuser(anew, "select count(*) from loss_probe;"), "7000");
            const runner = new Runner(anew);
            assert.equal((await runner.backedUp(300)).backups.at(-1)?.error, false);
            assert.deepEqual((await runner.check()).archive?.gaps, []);
            assert.equal(anew.tryUpdate("--expect-no-changes").status, 0, "an update after it changes something");
        } finally {
            anew.close();
        }
    });
});
