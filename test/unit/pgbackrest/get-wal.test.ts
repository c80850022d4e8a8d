import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../../../offline/checkout";

const script = join(checkout, "components/patroni/image/bin/get-wal");
const segment = "000000010000000000000005";
const next = "000000010000000000000006";
const history = "00000002.history";

describe("get-wal, the restore_command of replicas", () => {
    let run = "";
    beforeEach(() => {
        run = mkdtempSync(join(tmpdir(), "postgres-ha-get-wal-"));
        // Stands for pgBackRest: says that it was asked, and has what the file "there" names.
        const pgbackrest = `#!/bin/bash\necho "\${@: -2:1}" >> ${run}/asked\ngrep -qx "\${@: -2:1}" ${run}/there 2>/dev/null\n`;
        writeFileSync(join(run, "pgbackrest"), pgbackrest, { mode: 0o755 });
    });
    afterEach(() => rmSync(run, { recursive: true }));

    const get = (file: string, path = "pg_wal/RECOVERYXLOG"): number | null =>
        spawnSync("bash", [script, file, path], {
            env: { PATH: `${run}:${process.env["PATH"]}`, BACKUP_STANZA: "postgres", GET_WAL_RUN: run },
        }).status;
    const asked = (): string[] =>
        existsSync(join(run, "asked")) ? readFileSync(join(run, "asked"), "utf8").trim().split("\n") : [];
    const archive = (...files: string[]) => writeFileSync(join(run, "there"), files.join("\n"));
    /** As if what is remembered had been written so many seconds ago. */
    const pass = (seconds: number) => {
        const waits = join(run, "get-wal/waits");
        if (existsSync(waits)) {
            const [name = "", due = ""] = readFileSync(waits, "utf8").trim().split(" ");
            writeFileSync(waits, `${name} ${Number(due) - seconds}\n`);
        }
        for (const name of ["fetched", `missing-${history}`]) {
            const file = join(run, "get-wal", name);
            const then = Date.now() / 1000 - seconds;
            if (existsSync(file)) utimesSync(file, then, then);
        }
    };

    it("leaves a segment to streaming at first, then asks the store, and again only much later", () => {
        for (let attempt = 0; attempt < 3; attempt += 1) assert.equal(get(segment), 1);
        assert.deepEqual(asked(), []);
        pass(6);
        assert.equal(get(segment), 1);
        assert.equal(get(segment), 1);
        assert.deepEqual(asked(), [segment]);
        pass(31);
        assert.equal(get(segment), 1);
        assert.deepEqual(asked(), [segment, segment]);
    });

    it("goes on with the next segment at once after one that was there", () => {
        archive(segment, next);
        assert.equal(get(segment), 1);
        pass(6);
        assert.deepEqual([get(segment), get(next)], [0, 0]);
        assert.deepEqual(asked(), [segment, next]);
    });

    it("remembers for some seconds that a history file is missing, so that a promotion does not wait for it", () => {
        assert.deepEqual([get(history), get(history)], [1, 1]);
        assert.deepEqual(asked(), [history]);
        pass(11);
        archive(history);
        assert.equal(get(history), 0);
    });

    it("asks the store at once for pg_rewind, which cannot stream", () => {
        archive(segment);
        assert.equal(get(segment, `/data/pgdata/pg_wal/${segment}`), 0);
    });

    it("asks nothing of a store that the agent found unreachable", () => {
        writeFileSync(join(run, "store-unreachable"), "");
        assert.deepEqual([get(history), get(segment)], [1, 1]);
        assert.deepEqual(asked(), []);
    });
});
