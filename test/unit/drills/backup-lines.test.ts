import assert from "node:assert/strict";
import { age, backupLines, backupReasons } from "../../../commands/status/backup-lines";
import type { RunnerStatus } from "../../../components/pgbackrest/runner-api";

const now = "2026-11-22T12:00:00Z";
const before = (seconds: number): string => new Date(Date.parse(now) - seconds * 1000).toISOString();
const status: RunnerStatus = {
    now,
    stanza: "orders",
    repository: "s3://backups/dev at 10.0.0.1:9000",
    reachable: true,
    problem: null,
    otherDatabase: false,
    checkedAt: now,
    archive: { newest: "0000000100000000000000A0", archivedAt: before(30), timeline: 1, segmentsBehind: 0, gaps: [] },
    backups: [
        {
            label: "20261122-100000F",
            type: "full",
            startedAt: before(7300),
            finishedAt: before(7200),
            databaseBytes: 1,
            repositoryBytes: 1,
            timeline: 1,
            error: false,
        },
    ],
    running: null,
    lastJob: null,
    restoreTest: { passedAt: before(3600), recoverableUntil: before(3660), backup: "20261122-100000F" },
    latestRecoverableTime: before(30),
    requested: [],
};
const lines = (changes: Partial<RunnerStatus>): string => backupLines({ ...status, ...changes }).join("\n");

describe("the backup lines of make status", () => {
    it("say how old the archive, the backups and the restore test are", () => {
        const text = lines({});
        assert.match(text, /^archived {3}yes {2}30 s ago, no gap$/m);
        assert.match(text, /^backed up {2}yes {2}2 h ago \(full\), full 2 h ago$/m);
        assert.match(
            text,
            /^restore-tested {2}yes {2}60 min ago, proven up to 2026-11-22T10:59:00.000Z; data recoverable/m,
        );
    });

    it("take no backup for sure that cannot be read now", () => {
        const text = lines({ reachable: false, problem: "NoSuchBucket" });
        assert.match(text, /^archived {3}no {2}NoSuchBucket/m);
        assert.match(text, /^backed up {2}not known .* when it could: yes/m);
        assert.match(text, /^restore-tested {2}not known .* when it could: yes/m);
    });

    it("name the segments that are missing", () => {
        const gaps = [{ from: "0000000100000000000000A0", to: "0000000100000000000000A2", segments: 3 }];
        const archive = { ...status.archive, gaps } as RunnerStatus["archive"];
        assert.match(lines({ archive }), /GAP: 0000000100000000000000A0 to 0000000100000000000000A2 \(3\) missing/);
    });

    it("say when the store does not answer, and how old the archive is by then", () => {
        assert.match(
            lines({ reachable: false, problem: "connection refused" }),
            /archived {3}no {2}connection refused; last seen 30 s/,
        );
    });

    it("say when the archive is late and by how much", () => {
        const archive = { ...status.archive, archivedAt: before(300), segmentsBehind: 7 } as RunnerStatus["archive"];
        assert.match(lines({ archive }), /archived {3}late {2}5 min ago, 7 segments behind/);
    });

    it("say why the last backup failed and what runs now", () => {
        const job = { job: "backup", type: "incr", reason: "requested", startedAt: before(60) } as const;
        const lastJob = { ...job, ok: false, message: "no primary", finishedAt: before(40), seconds: 20 };
        assert.match(lines({ lastJob }), /the last attempt failed 40 s ago: no primary/);
        const running = { ...job, doneBytes: 50, totalBytes: 200 };
        assert.match(lines({ running, lastJob }), /backup incr runs 25 %: requested$/m);
    });

    it("say that a restore test failed, not when an earlier one passed", () => {
        const restoreTest = { failedAt: before(10), message: "pg_amcheck found damage", passedAt: before(9000) };
        assert.match(lines({ restoreTest }), /restore-tested {2}FAILED 10 s ago: pg_amcheck found damage$/m);
    });

    it("say what PostgreSQL itself cannot archive, whatever the repository looks like", () => {
        const text = backupLines(status, "0000001500000000000000F7").join("\n");
        assert.match(text, /archived +no +PostgreSQL cannot archive 0000001500000000000000F7/);
    });

    it("are none in a stack without backups, and one where the runner does not answer", () => {
        assert.deepEqual(backupLines(undefined), []);
        assert.match(backupLines({ silent: true, problem: "timeout" }).join(), /not known .*timeout/);
    });

    it("give ages people read at a glance", () => {
        const ages = [5, 119, 120, 7199, 7200, 172_800].map((seconds) => age(before(seconds), now));
        assert.deepEqual(ages, ["5 s ago", "119 s ago", "2 min ago", "120 min ago", "2 h ago", "2 days ago"]);
        assert.equal(age(null, now), "never");
    });
});

describe("what a loss of every machine needs to be undone", () => {
    const reasons = (changes: Partial<RunnerStatus>, unarchived?: string): string =>
        backupReasons({ ...status, ...changes }, unarchived).join("; ");
    const archive = (changes: object) => ({ archive: { ...status.archive, ...changes } as RunnerStatus["archive"] });
    const job = { job: "backup", reason: "schedule", startedAt: before(20) } as const;

    it("is there while all goes on as it should", () => {
        assert.equal(reasons({}), "");
        assert.deepEqual(backupReasons(undefined), []);
        // A backup is made after every promotion: what is missing before it spoils older ones only.
        assert.equal(
            reasons(archive({ gaps: [{ from: "A", to: "A", segments: 1 }], gapAfterNewestBackup: false })),
            "",
        );
        // The first backup of a new stack, or one behind another.
        assert.equal(reasons({ backups: [], running: job }), "");
        assert.equal(reasons({ running: job, lastJob: { ...job, ok: false, finishedAt: before(9), seconds: 9 } }), "");
    });

    const missing: [string, Partial<RunnerStatus>, RegExp][] = [
        [
            "the repository",
            { reachable: false, problem: "NoSuchBucket" },
            /^the repository cannot be read: NoSuchBucket$/,
        ],
        [
            "what was written last",
            archive({ archivedAt: before(130) }),
            /^the newest WAL in the archive is of 2 min ago$/,
        ],
        [
            "a segment",
            archive({ gapAfterNewestBackup: true }),
            /^WAL is missing in the archive behind the newest backup$/,
        ],
        ["a backup", { backups: [] }, /^there is no backup yet$/],
        [
            "a good backup",
            { lastJob: { ...job, ok: false, message: "no space", finishedAt: before(9), seconds: 9 } },
            /^the last backup failed: no space$/,
        ],
        ["whole pages", { backups: status.backups.map((each) => ({ ...each, error: true })) }, /^damaged pages/],
        [
            "the proof",
            { restoreTest: { failedAt: before(9), message: "no canary" } },
            /^the last restore test failed: no/,
        ],
    ];
    for (const [what, changes, expected] of missing) {
        it(`is not when ${what} is missing`, () => assert.match(reasons(changes), expected));
    }

    it("is not when PostgreSQL cannot archive, though the repository is well", () => {
        assert.equal(reasons({}, "0000000100000000000000A1"), "PostgreSQL cannot archive 0000000100000000000000A1");
    });
});
