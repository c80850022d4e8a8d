import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../../offline/checkout";
import { temporaryDirectory } from "../offline/release-server";

const script = join(checkout, "components/patroni/image/bin/fetch-wal");

describe("fetch-wal, the restore_command of recovery to the end of the archive", () => {
    const directory = temporaryDirectory();

    /** The status, and what pgBackRest was asked; it ends with one status after the other, then with the last again. */
    function fetch(...statuses: number[]): { status: number | null; asked: string[]; said: string } {
        const folder = directory.path();
        const asked = join(folder, "asked");
        writeFileSync(
            join(folder, "pgbackrest"),
            `#!/bin/bash\necho "$*" >> ${asked}\nstatuses=(${statuses.join(" ")})\nturn=$(($(wc -l < ${asked}) - 1))\n` +
                "exit ${statuses[$turn]:-${statuses[-1]}}\n",
            { mode: 0o755 },
        );
        const { status, stderr } = spawnSync(
            "bash",
            [script, "/etc/own.conf", "orders", "000000010000000000000005", "pg_wal/X"],
            {
                cwd: folder,
                env: { PATH: `${folder}:${process.env["PATH"]}`, FETCH_WAL_PATIENCE: "2", FETCH_WAL_PAUSE: "0.2" },
                encoding: "utf8",
            },
        );
        const lines = existsSync(asked) ? readFileSync(asked, "utf8").trim().split("\n") : [];
        return { status, asked: lines, said: stderr };
    }

    it("says what pgBackRest says of a segment that is there, and of one that is not", () => {
        const { status, asked } = fetch(0);
        assert.equal(status, 0);
        assert.equal(asked.length, 1);
        assert.match(asked[0] ?? "", /^--config=\/etc\/own.conf --stanza=orders .*archive-get 0{7}10{15}5 pg_wal\/X$/);
        assert.equal(fetch(1).status, 1);
    });

    it("tries again where the store is away for a while: that is not the end of the archive", () => {
        const { status, asked } = fetch(103, 103, 0);
        assert.deepEqual([status, asked.length], [0, 3]);
        assert.equal(fetch(103, 1).status, 1);
    });

    it("ends the recovery, by a status that PostgreSQL does not take for an answer, when it stays away", () => {
        const { status, said } = fetch(103);
        assert.equal(status, 126);
        assert.match(said, /recovery ends, nothing is opened/);
    });
});
