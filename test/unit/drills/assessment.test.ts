import assert from "node:assert/strict";
import { assess } from "../../../commands/status/assessment";
import type { Observation } from "../../../commands/status/collect";
import { describeMember } from "../../../commands/status/etcd";
import { describeInstance, describeSettings } from "../../../commands/status/patroni";
import { certificateLines, damageLines } from "../../../commands/status/render";

const numbers = [1, 2, 3];
const now = new Date("2026-11-24T12:00:00Z");

function whole(): Observation {
    return {
        machines: numbers.map((n) => ({ name: `machine-${n}`, address: `a${n}`, state: "running", reachable: true })),
        nodes: numbers.map((n) => ({
            name: `machine-${n}`,
            ready: true,
            cordoned: false,
            role: "server",
            version: "v1",
        })),
        etcd: {
            quorum: true,
            members: numbers.map((n) => ({
                name: `etcd-${n}`,
                healthy: true,
                leader: n === 1,
                learner: false,
                alarms: [],
            })),
        },
        instances: numbers.map((n) => ({
            name: `postgres-${n}`,
            answers: true,
            role: n === 1 ? "primary" : "replica",
            state: n === 1 ? "running" : "streaming",
            timeline: 4,
            synchronous: n === 2,
            pendingRestart: false,
        })),
        patroni: { paused: false, strict: true, synchronousStandbys: 1 },
        proxies: [],
        reads: numbers.map((n) => ({ entry: `a${n}:5433` })),
        writes: numbers.map((n) => ({ entry: `a${n}:5432`, accepted: true })),
    };
}

const element = <Item>(items: Item[], index: number): Item => {
    const found = items[index];
    assert.ok(found !== undefined);
    return found;
};

describe("serving and redundant", () => {
    it("are both true of a whole stack, and no reason is given", () => {
        const { serving, redundant, reasons, recoverable } = assess(whole(), now);
        assert.deepEqual([serving, redundant, reasons], [true, true, []]);
        // It has no backups.
        assert.equal(recoverable, undefined);
    });

    it("tell a stack that serves with one machine gone from a redundant one", () => {
        const seen = whole();
        Object.assign(element(seen.machines, 2), { state: "exited", reachable: false });
        Object.assign(element(seen.writes, 2), { accepted: false, problem: "no connection" });
        const { serving, redundant, reasons } = assess(seen, now);
        assert.equal(serving, true);
        assert.equal(redundant, false);
        assert.deepEqual(reasons, [
            "machine machine-3 is exited and not reachable",
            "entry a3:5432 takes no write: no connection",
        ]);
    });

    it("are both false when no entry takes a write, even if every member looks well", () => {
        const seen = whole();
        for (const write of seen.writes) write.accepted = false;
        const { serving, redundant } = assess(seen, now);
        assert.deepEqual([serving, redundant], [false, false]);
    });

    it("leave it to another word whether a loss of every machine could be undone", () => {
        const problem = "connection refused";
        const { redundant, recoverable, backupReasons } = assess(
            { ...whole(), backup: { silent: true, problem } },
            now,
        );
        assert.deepEqual([redundant, recoverable], [true, false]);
        assert.match(backupReasons.join(), /the backup runner does not answer: connection refused/);
    });

    const spoil: [string, (seen: Observation) => void, RegExp][] = [
        [
            "a disk that is nearly full",
            (seen) => (element(seen.machines, 1).disks = [{ folder: "/var/lib/rancher/k3s", usedPercent: 90 }]),
            /machine machine-2: the disk below .* is 90 % full/,
        ],
        [
            "no synchronous standby",
            (seen) => (element(seen.instances, 1).synchronous = false),
            /no synchronous standby/,
        ],
        [
            "a replica that does not stream",
            (seen) => (element(seen.instances, 2).state = "starting"),
            /postgres-3: starting/,
        ],
        ["a replica on another timeline", (seen) => (element(seen.instances, 2).timeline = 3), /timeline 3/],
        [
            "a primary that does not answer",
            (seen) => (element(seen.instances, 0).answers = false),
            /no instance is a running/,
        ],
        [
            "an entry that answers no read",
            (seen) => (element(seen.reads, 1).problem = "refused"),
            /a2:5433 answers no read: refused/,
        ],
        [
            "fewer synchronous standbys than asked for",
            (seen) => (seen.patroni = { paused: false, strict: true, synchronousStandbys: 2 }),
            /1 of 2 synchronous standbys stream/,
        ],
        [
            "a pause of Patroni",
            (seen) => (seen.patroni = { paused: true, strict: true, synchronousStandbys: 1 }),
            /paused/,
        ],
        [
            "writes without a standby",
            (seen) => (seen.patroni = { paused: false, strict: false, synchronousStandbys: 1 }),
            /strict .* is off/,
        ],
        [
            "an application that does not wait for a standby",
            (seen) => (element(seen.writes, 0).synchronousCommit = "local"),
            /synchronous_commit is local/,
        ],
        ["a lost etcd member", (seen) => (element(seen.etcd.members, 0).healthy = false), /2 voting members are left/],
        ["an etcd learner", (seen) => (element(seen.etcd.members, 0).learner = true), /learner/],
        ["an etcd alarm", (seen) => element(seen.etcd.members, 0).alarms.push("NOSPACE"), /NOSPACE/],
        ["etcd without quorum", (seen) => (seen.etcd.quorum = false), /no quorum/],
        ["a node that is not Ready", (seen) => (element(seen.nodes ?? [], 1).ready = false), /machine-2 is not Ready/],
        ["a cordoned node", (seen) => (element(seen.nodes ?? [], 1).cordoned = true), /machine-2 is cordoned/],
        ["settings that nobody tells", (seen) => (seen.patroni = undefined), /settings are not known/],
        ["a machine that is no node", (seen) => seen.nodes?.pop(), /machine-3 is no node/],
        [
            "a node that no machine is",
            (seen) => seen.nodes?.push({ ...element(seen.nodes, 0), name: "machine-4" }),
            /machine-4 is none of the stack's machines/,
        ],
        [
            "certificates that are about to end",
            (seen) => (element(seen.writes, 0).certificateEnd = new Date("2027-08-21T00:00:00Z")),
            /certificates end in 269 days/,
        ],
        ["an unreachable Kubernetes API", (seen) => (seen.nodes = undefined), /API answers on no server/],
    ];
    for (const [what, change, reason] of spoil) {
        it(`are not the same with ${what}: it serves and is not redundant`, () => {
            const seen = whole();
            change(seen);
            const { serving, redundant, reasons } = assess(seen, now);
            assert.deepEqual([serving, redundant], [true, false]);
            assert.match(reasons.join("\n"), reason);
        });
    }
});

describe("reading the members' answers", () => {
    it("takes only the strict mode for what is promised, not quorum commit", () => {
        const strict = (mode: boolean | string) =>
            describeSettings({ synchronous_mode: mode, synchronous_mode_strict: true }).strict;
        assert.deepEqual([true, "on", false, "off", "quorum"].map(strict), [true, true, false, false, false]);
        const listed = { name: "postgres-0", role: "quorum_standby", state: "streaming" };
        assert.equal(describeInstance("postgres-0", true, listed).synchronous, false);
    });

    it("does not believe Patroni's list about an instance that does not answer itself", () => {
        const listed = { name: "postgres-0", role: "leader", state: "running", timeline: 2 };
        assert.equal(describeInstance("postgres-0", false, listed).state, "no answer (last: running)");
        assert.equal(describeInstance("postgres-0", true, listed).state, "running");
        assert.equal(describeInstance("postgres-0", true, undefined).state, "not a member");
    });

    it("tells etcd's leader, its alarms, and a member that sees no leader", () => {
        const status = { header: { member_id: "7" }, leader: "7", dbSize: "20480" };
        const alarms = [
            { memberID: "7", alarm: "NOSPACE" },
            { memberID: "8", alarm: "CORRUPT" },
        ];
        const member = describeMember("etcd-0", status, alarms);
        assert.deepEqual(
            [member.leader, member.healthy, member.databaseSize, member.alarms],
            [true, true, 20480, ["NOSPACE"]],
        );
        const alone = describeMember("etcd-0", { header: { member_id: "7" }, leader: "0" }, []);
        assert.deepEqual([alone.healthy, alone.problem], [false, "sees no leader"]);
        const unread = describeMember("etcd-0", status, [], new Error("timed out"));
        assert.deepEqual([unread.healthy, unread.problem], [false, "does not reach its leader: timed out"]);
        assert.ok(describeMember("etcd-0", { ...status, isLearner: true }, [], new Error("not for learners")).healthy);
    });
});

describe("the certificates in the status", () => {
    const lines = (...ends: string[]) =>
        certificateLines(
            {
                writes: ends.map((end, index) => ({
                    entry: `a${index}:5432`,
                    accepted: true,
                    certificateEnd: new Date(end),
                })),
                reads: [{ entry: "a1:5433", problem: "no connection" }],
            },
            now,
        );

    it("are as good as the one that ends first", () => {
        assert.deepEqual(lines("2027-11-24T12:00:01Z", "2027-06-01T00:00:00Z"), [
            "certificates  valid until 2027-06-01, 188 days; the next update (make up) renews them",
        ]);
    });

    it("say what renews them once an update would", () => {
        assert.deepEqual(lines("2027-01-22T00:00:00Z"), [
            "certificates  valid until 2027-01-22, 58 days; the next update (make up) renews them",
        ]);
    });

    it("are not mentioned when no server shows one", () => assert.deepEqual(lines(), []));
});

describe("damaged pages in the status", () => {
    const lines = (...damagedPages: (number | undefined)[]) =>
        damageLines(damagedPages.map((damaged, n) => ({ entry: `a${n}:5432`, accepted: true, damagedPages: damaged })));

    it("are told with what to do", () => {
        assert.match(lines(undefined, 0, 3).join(), /3 found on the primary; see docs\/runbooks\/damaged-page.md/);
    });

    it("are not mentioned where there are none, or nobody tells", () => {
        assert.deepEqual(lines(0, 0, undefined), []);
        assert.deepEqual(lines(), []);
    });
});
