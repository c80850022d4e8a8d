import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { checkout } from "../../../offline/checkout";
import { temporaryDirectory } from "../offline/release-server";

const script = join(checkout, "components/patroni/image/bin/get-wal");
const segment = "000000010000000000000005";
const next = "000000010000000000000006";
const history = "00000002.history";

describe("get-wal, the restore_command of replicas", () => {
    const directory = temporaryDirectory();
    let run = "";
    // Nobody has to accept: the kernel lets a client connect to what is listened on.
    const store = createServer();
    let port = 0;
    before(async () => {
        await new Promise<void>((resolve) => store.listen(0, "127.0.0.1", resolve));
        port = (store.address() as AddressInfo).port;
    });
    after(() => void store.close());
    beforeEach(() => {
        run = directory.path();
        // Stands for pgBackRest: says that it was asked, and has what the file "there" names.
        const pgbackrest = `#!/bin/bash\necho "\${@: -2:1}" >> ${run}/asked\ngrep -qx "\${@: -2:1}" ${run}/there 2>/dev/null\n`;
        writeFileSync(join(run, "pgbackrest"), pgbackrest, { mode: 0o755 });
        writeFileSync(join(run, "postmaster.pid"), "1\n/data/pgdata\n1700000000\n5432\n");
    });

    const get = (file: string, path = "pg_wal/RECOVERYXLOG"): number | null =>
        spawnSync("bash", [script, file, path], {
            cwd: run,
            env: {
                PATH: `${run}:${process.env["PATH"]}`,
                BACKUP_STANZA: "postgres",
                STORE_HOST: "127.0.0.1",
                STORE_PORT: String(port),
                GET_WAL_RUN: run,
            },
        }).status;
    const asked = (): string[] =>
        existsSync(join(run, "asked")) ? readFileSync(join(run, "asked"), "utf8").trim().split("\n") : [];
    const archive = (...files: string[]) => writeFileSync(join(run, "there"), files.join("\n"));
    /** As if what is remembered had been written so many seconds ago. */
    const pass = (seconds: number) => {
        const memory = join(run, "get-wal", "1-1700000000-");
        for (const file of readdirSync(memory).map((name) => join(memory, name))) {
            const due = Number(readFileSync(file, "utf8"));
            if (due > 0) writeFileSync(file, `${due - seconds}\n`);
            const then = Date.now() / 1000 - seconds;
            utimesSync(file, then, then);
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

    it("waits anew when PostgreSQL was started anew", () => {
        archive(history);
        assert.equal(get(history), 1);
        pass(6);
        writeFileSync(join(run, "postmaster.pid"), "2\n/data/pgdata\n1700000009\n5432\n");
        assert.equal(get(history), 1);
        assert.deepEqual(asked(), []);
    });

    it("asks the store for a history file at once when this instance is being promoted", () => {
        assert.equal(get(history), 1);
        assert.deepEqual(asked(), []);
        archive(history);
        writeFileSync(join(run, "promoting"), "");
        assert.equal(get(history), 0);
    });

    it("takes no promotion of an earlier start for one of this: it would not start with its successor's timeline", () => {
        archive(history);
        writeFileSync(join(run, "promoting"), "");
        const [earlier, later] = [Math.floor(Date.now() / 1000) - 3, Math.floor(Date.now() / 1000) - 2];
        utimesSync(join(run, "promoting"), earlier, earlier);
        writeFileSync(join(run, "postmaster.pid"), `3\n/data/pgdata\n${later}\n5432\n`);
        assert.equal(get(history), 1);
        assert.deepEqual(asked(), []);
        writeFileSync(join(run, "promoting"), "");
        assert.equal(get(history), 0);
    });

    it("leaves PostgreSQL to a history file that it has itself", () => {
        mkdirSync(join(run, "pg_wal"));
        writeFileSync(join(run, "pg_wal", history), "1\t0/5000000\tno recovery target specified\n");
        writeFileSync(join(run, "promoting"), "");
        assert.equal(get(history, "pg_wal/RECOVERYHISTORY"), 1);
        assert.deepEqual(asked(), []);
    });

    it("asks the store at once for pg_rewind, which cannot stream", () => {
        archive(segment);
        assert.equal(get(segment, `/data/pgdata/pg_wal/${segment}`), 0);
    });

    it("asks nothing of a store that the agent found unreachable", () => {
        writeFileSync(join(run, "store-unreachable"), "");
        writeFileSync(join(run, "promoting"), "");
        assert.deepEqual([get(history), get(segment)], [1, 1]);
        pass(6);
        assert.deepEqual([get(history), get(segment)], [1, 1]);
        assert.deepEqual(asked(), []);
    });

    it("asks nothing of a store that nobody can connect to, before the agent has found out: once for several questions, and again a little later", () => {
        archive(history);
        writeFileSync(join(run, "promoting"), "");
        const reachable = port;
        port = 1;
        assert.equal(get(history), 1);
        assert.deepEqual(asked(), []);
        port = reachable;
        // A promotion asks several times.
        assert.equal(get(history), 1);
        const then = Date.now() / 1000 - 4;
        utimesSync(join(run, "store-silent"), then, then);
        assert.equal(get(history), 0);
    });
});
