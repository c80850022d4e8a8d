import assert from "node:assert/strict";
import {
    confirmationToken,
    restoreProblems,
    restoreRequest,
    type RestoreArgs,
    type RestoreTarget,
} from "../../../components/pgbackrest/restore";
import type { MachinesArgs } from "../../../components/machines/machines-args";

const machines = { provider: "docker", subnet: "10.0.0.0/24", machines: [] } as MachinesArgs;
const problems = (restore: Partial<RestoreArgs>) =>
    restoreProblems({ target: { latest: true }, generation: 1, ...restore }, true, machines);
const paths = (restore: Partial<RestoreArgs>) => problems(restore).map(({ path }) => path);

describe("a restore", () => {
    it("may go to a time, an LSN, a transaction, a name or the end of the archive", () => {
        const targets: RestoreTarget[] = [
            { time: "2026-03-01T12:00:00+00:00" },
            { time: "2026-03-01 12:00:00.123456Z" },
            { lsn: "0/7000028" },
            { xid: "12345" },
            { name: "before migration 7" },
            { latest: true },
        ];
        for (const target of targets) assert.deepEqual(problems({ target }), [], JSON.stringify(target));
    });

    it("needs exactly one target", () => {
        assert.deepEqual(paths({ target: {} as RestoreTarget }), ["restore.target"]);
        assert.deepEqual(paths({ target: { xid: "1", name: "x" } }), ["restore.target"]);
    });

    it("refuses a time without an offset: it would mean another moment on another machine", () => {
        assert.deepEqual(paths({ target: { time: "2026-03-01T12:00:00" } }), ["restore.target.time"]);
        assert.deepEqual(paths({ target: { time: "2026-13-01T12:00:00Z" } }), ["restore.target.time"]);
    });

    it("refuses what is no LSN, transaction, name, backup, timeline or generation", () => {
        assert.deepEqual(paths({ target: { lsn: "7000028" } }), ["restore.target.lsn"]);
        assert.deepEqual(paths({ target: { xid: "0x1" } }), ["restore.target.xid"]);
        assert.deepEqual(paths({ target: { name: "a'b" } }), ["restore.target.name"]);
        assert.deepEqual(paths({ backup: "latest" }), ["restore.backup"]);
        assert.deepEqual(paths({ timeline: 0 }), ["restore.timeline"]);
        assert.deepEqual(paths({ generation: 0 }), ["restore.generation"]);
        assert.deepEqual(paths({ generation: 1.5 }), ["restore.generation"]);
    });

    it("takes the labels of all three kinds of backup", () => {
        for (const backup of [
            "20261122-165244F",
            "20261122-165244F_20261122-165306I",
            "20261122-165244F_20261122-165306D",
        ])
            assert.deepEqual(problems({ backup }), []);
    });

    it("names the settings of the other repository's keys, not of the stack's own", () => {
        const repository = {
            provider: "s3",
            endpoint: "https://s3.example.com",
            bucket: "other",
            path: "/a/b",
        } as const;
        const [found] = problems({ from: { repository, stanza: "postgres", passphrase: "x" } });
        assert.equal(found?.path, "restore.from.repository");
        assert.match(found.message, /--secret restoreAccessKeyId` and .*--secret restoreSecretAccessKey`/);
    });

    it("needs a repository", () => {
        const found = restoreProblems({ target: { latest: true }, generation: 1 }, false, machines);
        assert.deepEqual(
            found.map(({ path }) => path),
            ["restore"],
        );
    });
});

describe("the options of pgbackrest restore", () => {
    const options = (restore: Partial<RestoreArgs>) =>
        restoreRequest({ target: { latest: true }, generation: 2, ...restore }).options;

    it("promote at a target, and at the end of the archive of themselves", () => {
        assert.deepEqual(options({ target: { name: "x y" } }), [
            "--type=name",
            "--target=x y",
            "--target-action=promote",
        ]);
        assert.deepEqual(options({}), ["--type=default"]);
    });

    it("write a time as PostgreSQL does", () => {
        assert.ok(
            options({ target: { time: "2026-03-01T12:00:00.5Z" } }).includes("--target=2026-03-01 12:00:00.5+00:00"),
        );
    });

    it("name backup and timeline when they are given", () => {
        const given = options({ backup: "20261122-165244F", timeline: 3 });
        assert.deepEqual(given, ["--type=default", "--set=20261122-165244F", "--target-timeline=3"]);
    });

    it("are none while no restore was ever asked for", () => {
        assert.deepEqual(restoreRequest(undefined), { generation: 0, options: [] });
    });
});

describe("the confirmation token", () => {
    const token = (restore: Partial<RestoreArgs>, cluster = "orders") =>
        confirmationToken(cluster, { target: { xid: "7" }, generation: 2, ...restore });

    it("is the same for the same restore, whatever was confirmed", () => {
        assert.equal(token({}), token({ confirm: "x" }));
        assert.match(token({}), /^orders-2-[0-9a-f]{6}$/);
    });

    it("changes with everything that decides what is left behind", () => {
        const tokens = [
            token({}),
            token({ target: { xid: "8" } }),
            token({ target: { name: "7" } }),
            token({ generation: 3 }),
            token({ timeline: 2 }),
            token({ backup: "20261122-165244F" }),
            token({}, "others"),
        ];
        assert.equal(new Set(tokens).size, tokens.length);
    });
});
