import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkout } from "../../../offline/checkout";
import { temporaryDirectory } from "../offline/release-server";

const script = join(checkout, "components/patroni/image/bin/put-wal");
const segment = "000000020000000000000005";

describe("put-wal, the archive_command of every instance", () => {
    const directory = temporaryDirectory();
    let run = "";
    let data = "";
    beforeEach(() => {
        run = directory.path();
        data = join(run, "data");
        mkdirSync(join(data, "pg_wal"), { recursive: true });
        // Stands for pgBackRest: says what it was given, and ends as the file "status" says.
        const push = `#!/bin/bash\necho "$*" >> ${run}/pushed\nexit "$(cat ${run}/status 2>/dev/null || echo 0)"\n`;
        writeFileSync(join(run, "push"), push, { mode: 0o755 });
        serving();
    });

    const serving = (status = "ready   ", pid = process.pid) =>
        writeFileSync(
            join(data, "postmaster.pid"),
            `${pid}\n${data}\n1700000000\n5432\n/run/postgresql\n0.0.0.0\n  1 2\n${status}\n`,
        );
    const standby = () => writeFileSync(join(data, "standby.signal"), "");
    const promote = () => rmSync(join(data, "standby.signal"));
    const archivedBy = (mark: string) => writeFileSync(join(run, "archived"), `${mark}\n`);
    const storeIsDown = () => writeFileSync(join(run, "status"), "82");
    const pushed = (): string[] =>
        existsSync(join(run, "pushed")) ? readFileSync(join(run, "pushed"), "utf8").trim().split("\n") : [];

    const command = (path: string): string[] => [script, join(run, "push"), "archive-push", path];
    const options = () => ({ cwd: data, env: { PATH: process.env["PATH"], PUT_WAL_RUN: run } });
    const put = (file: string, folder = "pg_wal"): number | null =>
        spawnSync("bash", command(`${folder}/${file}`), { ...options(), timeout: 10_000 }).status;
    /** Its status once it ends. */
    const begin = (file: string) => {
        const child = spawn("bash", command(`pg_wal/${file}`), options());
        const ended = once(child, "exit").then(([status]) => status as number | null);
        return { child, ended };
    };

    it("archives on a primary, and fails as the archive does", () => {
        assert.equal(put(segment), 0);
        storeIsDown();
        assert.equal(put(segment), 82);
        assert.deepEqual(pushed(), Array(2).fill(`archive-push pg_wal/${segment}`));
    });

    it("tries at once when it stops, after a failure that a success has followed, and not while the store is down", () => {
        storeIsDown();
        assert.equal(put(segment), 82);
        serving("stopping");
        assert.equal(put(segment), 1);
        serving();
        rmSync(join(run, "status"));
        assert.equal(put(segment), 0);
        serving("stopping");
        assert.equal(put(segment), 0);
        assert.equal(pushed().length, 3);
    });

    it("archives nothing on a standby: what the primary has archived is done, with every name before it", () => {
        standby();
        archivedBy(segment);
        for (const done of [
            segment,
            "000000020000000000000004",
            "0000000100000000000000FF",
            "0000000100000000000000FF.partial",
            "00000002.history",
        ]) {
            assert.equal(put(done), 0, done);
        }
        assert.deepEqual(pushed(), []);
    });

    for (const later of [
        "000000020000000000000006",
        "000000020000000100000000",
        "00000003.history",
        "000000030000000000000001",
    ]) {
        it(`waits on a standby with ${later} until the primary has archived it`, async () => {
            standby();
            archivedBy(segment);
            const { child, ended } = begin(later);
            await sleep(700);
            assert.equal(child.exitCode, null);
            archivedBy("000000030000000000000002");
            assert.equal(await ended, 0);
            assert.deepEqual(pushed(), []);
        });
    }

    it("archives what its predecessor did not, as soon as it is promoted", async () => {
        standby();
        const { child, ended } = begin(segment);
        await sleep(700);
        assert.equal(child.exitCode, null);
        promote();
        assert.equal(await ended, 0);
        assert.deepEqual(pushed(), [`archive-push pg_wal/${segment}`]);
    });

    it("keeps a standby's segment and ends when PostgreSQL is asked to, or is gone", async () => {
        standby();
        const asked = begin(segment);
        await sleep(300);
        serving("stopping");
        assert.equal(await asked.ended, 143);
        const gone = spawnSync("true").pid;
        serving("standby ", gone);
        assert.equal(put(segment), 143);
        rmSync(join(data, "postmaster.pid"));
        assert.equal(put(segment), 143);
        assert.deepEqual(pushed(), []);
    });

    it("has nothing to archive during a restore", () => {
        writeFileSync(join(data, "recovery.signal"), "");
        assert.equal(put(segment), 0);
        assert.deepEqual(pushed(), []);
    });

    it("before a rewind tries each segment, but with the store down only one of them", () => {
        rmSync(join(data, "postmaster.pid"));
        const folder = join(data, "pg_wal");
        assert.equal(put(segment, folder), 0);
        storeIsDown();
        assert.equal(put(segment, folder), 82);
        assert.equal(put(segment, folder), 1);
        assert.equal(pushed().length, 2);
        const before = Date.now() / 1000 - 100;
        utimesSync(join(run, "put-wal-failed"), before, before);
        rmSync(join(run, "status"));
        assert.equal(put(segment, folder), 0);
        assert.deepEqual(pushed(), Array(3).fill(`archive-push ${folder}/${segment}`));
    });

    it("leaves out what a standby had of a segment when its timeline ended, for no two have the same rest", () => {
        const history = (timeline: string, lines: string) =>
            writeFileSync(join(data, "pg_wal", `${timeline}.history`), lines);
        history("00000002", "1\t0/2A000098\tno recovery target specified\n");
        history(
            "00000003",
            "1\t0/2A000098\tno recovery target specified\n\n2\t1/D0C6788\tno recovery target specified\n",
        );
        for (const ended of ["00000001000000000000002A", "00000002000000010000000D", "000000020000000200000000"]) {
            assert.equal(put(ended), 0, ended);
            assert.equal(put(ended, join(data, "pg_wal")), 0, ended);
        }
        assert.deepEqual(pushed(), []);
        const whole = [
            "000000010000000000000029",
            "00000002000000010000000C",
            "00000002000000010000000D.partial",
            "00000003000000010000000D",
            "00000003.history",
        ];
        for (const file of whole) assert.equal(put(file), 0, file);
        assert.deepEqual(
            pushed(),
            whole.map((file) => `archive-push pg_wal/${file}`),
        );
    });

    it("with a promotion's history makes ready what was whole but not marked when the primary died", () => {
        const status = join(data, "pg_wal", "archive_status");
        mkdirSync(status);
        const touch = (...names: string[]) => names.forEach((name) => writeFileSync(join(data, "pg_wal", name), ""));
        writeFileSync(
            join(data, "pg_wal", "00000025.history"),
            "35\t1/3A000000\tno recovery target specified\n\n36\t1/3D000000\tno recovery target specified\n",
        );
        archivedBy("000000240000000100000039");
        touch(
            // Archived, marked already twice, forgotten, past the end of its timeline, of the new timeline, of none of ours.
            "000000230000000100000039",
            "00000024000000010000003A",
            "00000024000000010000003B",
            "00000024000000010000003C",
            "00000024000000010000003D",
            "00000025000000010000003D",
            "000000260000000100000001",
            "archive_status/00000024000000010000003A.done",
            "archive_status/00000024000000010000003B.ready",
        );
        assert.equal(put("00000025.history"), 0);
        assert.deepEqual(readdirSync(status), [
            "00000024000000010000003A.done",
            "00000024000000010000003B.ready",
            "00000024000000010000003C.ready",
        ]);
        assert.deepEqual(pushed(), ["archive-push pg_wal/00000025.history"]);
    });

    it("is content with another's last piece of the same timeline, and with no other difference", () => {
        writeFileSync(join(run, "status"), "45");
        assert.equal(put(`${segment}.partial`), 0);
        assert.equal(put(segment), 45);
    });

    it("tries again and again on a primary, however often it failed", () => {
        storeIsDown();
        for (let attempt = 0; attempt < 3; attempt += 1) assert.equal(put(segment), 82);
        assert.equal(pushed().length, 3);
    });
});
