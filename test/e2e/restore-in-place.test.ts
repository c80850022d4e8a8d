import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { pulumiOutput } from "../../commands/run-pulumi";
import { asSuperuser, switchSegment } from "../../drills/backup/pods";
import { nextGeneration, OtherSettings } from "../../drills/backup/restore";
import { Runner } from "../../drills/backup/runner";
import { Store } from "../../drills/backup/store";
import { processes, signal } from "../../drills/machine/processes";
import type { SshConnection } from "../../components/machines/ssh";
import type { RestoreTarget } from "../../components/pgbackrest/restore";
import { measured, useCluster } from "./support";

describe("a restore in place", () => {
    const cluster = useCluster(async (opened) => {
        settings.remove();
        // Without `restore` in the settings nothing is restored and nothing restarts.
        await opened.update();
    });
    let settings: OtherSettings;
    before(() => (settings = new OtherSettings(cluster())));

    const sql = (text: string) => asSuperuser(cluster(), text);
    const rows = async () => (await sql("select string_agg(id::text, ',' order by id) from restore_probe;")).trim();

    async function restore(target: RestoreTarget): Promise<void> {
        const begin = Date.now();
        settings.ask({ target, generation: nextGeneration() });
        await settings.update();
        measured("restore in place, until every layer is whole", (Date.now() - begin) / 1000);
    }

    it("is refused without the token that the preview prints, and changes nothing", async function () {
        this.timeout(300_000);
        await new Runner(cluster()).idle();
        await sql("drop table if exists restore_probe; create table restore_probe (id int);");
        const token = settings.ask({ target: { latest: true }, generation: nextGeneration() }, { confirmed: false });
        const preview = settings.pulumi("preview");
        assert.equal(preview.status, 0, preview.output);
        assert.ok(preview.output.includes(`set restore.confirm to ${token}`), preview.output);
        const refused = settings.pulumi("up");
        assert.notEqual(refused.status, 0);
        assert.match(refused.output, /restore\.confirm: is missing/);
        assert.equal(await sql("select count(*) from restore_probe;"), "0");
    });

    it("is refused where it cannot begin, while the database goes on as before", async function () {
        this.timeout(300_000);
        settings.ask({ target: { time: "2020-01-01T00:00:00Z" }, generation: nextGeneration() });
        const { status, output } = settings.pulumi("up");
        assert.notEqual(status, 0);
        assert.match(output, /restore\.target\.time.* is too early.*Nothing was stopped or changed/s);
        // What Kubernetes holds: the instances see it a minute later.
        const read = "kubectl -n postgres get configmap postgres-restore -o jsonpath={.data}";
        const [server] = cluster().state.machines;
        const ssh = await cluster().tunnel.ssh((server ?? assert.fail("there is no machine")).access);
        const { stdout: asked } = await ssh.run(`k3s ${read}`);
        assert.match(asked, /restore\.json/);
        assert.doesNotMatch(asked, /2020-01-01/, "an instance that starts now would follow a request that was refused");
        await sql("insert into restore_probe values (0); delete from restore_probe;");
    });

    /** The machine of the instance that replays the archive, as soon as one does. */
    async function recovering(): Promise<SshConnection> {
        // Not what an earlier restore has left to be read.
        const since = Math.ceil(Date.now() / 1000);
        const look =
            `find /var/lib/kubelet/pods -path '*/socket/bootstrap.json' -newermt @${since} ` +
            "-exec grep --quiet recovering {} ';' -print 2>/dev/null | grep --quiet .";
        const { machines } = cluster().state;
        for (const end = Date.now() + 300_000; Date.now() < end; await sleep(100)) {
            for (const machine of machines) {
                const ssh = await cluster().tunnel.ssh(machine.access);
                if ((await ssh.run(look, { allowFailure: true })).exitCode === 0) return ssh;
            }
        }
        return assert.fail("no instance replays the archive");
    }

    /** The store goes away: recovery waits for it, and has not ended when its instance is killed. */
    async function disturbRecovery(): Promise<void> {
        const store = new Store(cluster());
        const ssh = await recovering();
        await store.refuse();
        try {
            await sleep(10_000);
            const { stdout } = await ssh.run("ps -eo etimes=,args= | awk '$1 >= 5 && /[f]etch-wal/'");
            assert.match(stdout, /fetch-wal/, "recovery does not wait for the store");
            await signal(ssh, "KILL", (await processes(ssh, "patroni")).slice(0, 1));
        } finally {
            await store.admit();
        }
    }

    it("to a time has every row from before and none from after, whatever happens while the archive is replayed", async function () {
        this.timeout(900_000);
        await sql("insert into restore_probe values (1), (2);");
        // Some seconds of replay.
        await sql(
            "do 'begin for i in 1..30 loop perform pg_logical_emit_message(false, ''x'', ''y''); perform pg_switch_wal(); end loop; end';",
        );
        await sleep(1100);
        const time = (
            await sql("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US');")
        ).trim();
        await sleep(1100);
        await sql("insert into restore_probe values (3);");
        const both = await Promise.allSettled([restore({ time: `${time}+00:00` }), disturbRecovery()]);
        for (const each of both) if (each.status === "rejected") throw each.reason;
        assert.equal(await rows(), "1,2");
    });

    it("to a name, right after the first one, has every row from before and none from after", async function () {
        this.timeout(900_000);
        // The backup after the promotion, from which the second restore begins.
        await new Runner(cluster()).idle();
        await sql("insert into restore_probe values (4);");
        await sql("select pg_create_restore_point('before the mistake');");
        await sql("delete from restore_probe; insert into restore_probe values (5);");
        await restore({ name: "before the mistake" });
        assert.equal(await rows(), "1,2,4");
    });

    it("to a transaction has what it wrote and nothing that was written later", async function () {
        this.timeout(900_000);
        await new Runner(cluster()).idle();
        const xid = await sql("begin; insert into restore_probe values (6); select pg_current_xact_id(); commit;");
        await sql("insert into restore_probe values (7);");
        await restore({ xid: xid.trim() });
        assert.equal(await rows(), "1,2,4,6");
    });

    it("is not made again by a second update with the same generation", async function () {
        this.timeout(300_000);
        await sql("insert into restore_probe values (8);");
        const { status, output } = settings.pulumi("up");
        assert.equal(status, 0, output);
        assert.equal(await rows(), "1,2,4,6,8");
    });

    it("is left alone when the update that began it had failed, and is repeated", async function () {
        this.timeout(300_000);
        await sql("insert into restore_probe values (9);");
        const begun = await sql("select pg_postmaster_start_time();");
        await forgetThatItEndedWell();
        const { status, output } = settings.pulumi("up");
        assert.equal(status, 0, output);
        assert.match(output, /restore \d+ has begun already; it goes on where it is/);
        assert.equal(await rows(), "1,2,4,6,8,9");
        assert.equal(await sql("select pg_postmaster_start_time();"), begun);
    });

    /** The state of a stack whose update failed while the restore went on: it is prepared, and not noted as carried out. */
    async function forgetThatItEndedWell(): Promise<void> {
        const { workspace } = cluster();
        const exported = await pulumiOutput(workspace, ["stack", "export"]);
        const state = JSON.parse(exported ?? "") as {
            deployment: {
                resources: { type: string; outputs?: { restored: number; rebirth: { generation: number } } }[];
            };
        };
        const outputs = state.deployment.resources.find(({ type }) => type.endsWith(":PatroniState"))?.outputs;
        assert.ok(outputs);
        outputs.restored -= 1;
        outputs.rebirth.generation -= 1;
        assert.ok((await pulumiOutput(workspace, ["stack", "import"], { input: JSON.stringify(state) })) !== undefined);
    }

    /** Right after the update has seen everything archived somebody writes on, and the store goes away. */
    async function cutAfterNextSegment(segment: string): Promise<void> {
        await sql(
            "set statement_timeout = '180s'; do $$ begin loop perform pg_stat_clear_snapshot(); " +
                `exit when (select last_archived_wal from pg_stat_archiver) > '${segment}'; perform pg_sleep(0.05); ` +
                "end loop; end $$; insert into restore_probe values (10);",
        );
        await new Store(cluster()).refuse();
    }

    it("is refused when what was acknowledged while the instances were stopped is not archived, and leaves none of it behind", async function () {
        this.timeout(900_000);
        await new Runner(cluster()).idle();
        settings.ask({ target: { latest: true }, generation: nextGeneration() });
        const asked = Date.now();
        // Nothing but the update ends another segment.
        await sql("alter system set archive_timeout = 0; select pg_reload_conf();");
        const [cut, update] = await Promise.allSettled([
            cutAfterNextSegment(await switchSegment(cluster())),
            settings.update(),
        ]);
        await new Store(cluster()).admit();
        assert.equal(cut.status, "fulfilled");
        assert.equal(update.status, "rejected");
        await cluster().waitUntilRedundant();
        await sql("alter system reset archive_timeout; select pg_reload_conf();");
        const started = await sql("select extract(epoch from pg_postmaster_start_time());");
        assert.ok(Number(started) * 1000 > asked, "it was refused before it had stopped anything");
        assert.equal(await rows(), "1,2,4,6,8,9,10");
        const begin = Date.now();
        await settings.update();
        measured("restore to latest, after one that was refused", (Date.now() - begin) / 1000);
        assert.equal(await rows(), "1,2,4,6,8,9,10");
    });

    it("is followed by a backup, and archives go on without a gap", async function () {
        this.timeout(300_000);
        const runner = new Runner(cluster());
        const { timeline } = (await runner.backedUp(200)).archive ?? {};
        // Older timelines may have a hole: a machine that was lost with its disks took what it had not archived yet.
        const gaps = (await runner.check()).archive?.gaps ?? [];
        const current = (timeline ?? 0).toString(16).toUpperCase().padStart(8, "0");
        assert.deepEqual(
            gaps.filter(({ from }) => from.startsWith(current)),
            [],
        );
    });
});
