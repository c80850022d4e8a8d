import assert from "node:assert/strict";
import { verifyBank, verifyTotals } from "../../../drills/ledger/bank";
import { staleness, verifyCounters } from "../../../drills/ledger/counters";
import type { Session } from "../../../commands/status/session";
import type { OperationOf, Outcome, Work } from "../../../drills/ledger/operation";
import type { Reading } from "../../../drills/ledger/reader";
import { doWork } from "../../../drills/ledger/work";

const transfer = (id: number, outcome: Outcome = "ok"): OperationOf<"transfer"> => ({
    ...{ client: 0, id, begin: id, end: id + 0.5, outcome },
    work: { kind: "transfer", from: 1, to: 2, amount: 5 },
});

const count = (id: number, value: number | undefined, outcome: Outcome = "ok"): OperationOf<"count"> => ({
    ...{ client: 0, id, begin: id, end: id + 0.5, outcome },
    work: { kind: "count", value },
});

const reading = (at: number, value: number, from: Reading["from"] = "primary", total = 200): Reading => ({
    ...{ entry: "one:5432", from, begin: at, end: at, total, lists: new Map<number, number[]>() },
    counters: new Map([[0, value]]),
});

const kinds = (violations: { kind: string }[]): string[] => violations.map(({ kind }) => kind);

describe("bank transfers", () => {
    const opened = { accounts: 2, balance: 100 };
    const found = (times: number, one: number, two: number) => ({
        transfers: new Map(times > 0 ? [[1, times]] : []),
        balances: new Map([
            [1, one],
            [2, two],
        ]),
    });

    it("accepts balances that the transfers explain", () => {
        assert.deepEqual(verifyBank([transfer(1)], found(1, 95, 105), opened), []);
        assert.deepEqual(verifyBank([transfer(1, "unknown")], found(0, 100, 100), opened), []);
    });

    it("reports half a transfer, though the transfer itself is there", () => {
        assert.deepEqual(kinds(verifyBank([transfer(1)], found(1, 95, 100), opened)), ["torn"]);
    });

    it("reports an acknowledged transfer that is undone", () => {
        assert.deepEqual(kinds(verifyBank([transfer(1)], found(0, 100, 100), opened)), ["lost"]);
    });

    it("reports an account that is gone, though no transfer touched it", () => {
        const left = { transfers: new Map<number, number>(), balances: new Map([[1, 100]]) };
        assert.deepEqual(kinds(verifyBank([], left, opened)), ["torn"]);
    });

    it("reports a state in which money is missing, on replicas too", () => {
        assert.deepEqual(kinds(verifyTotals([reading(1, 0), reading(2, 0, "replica", 195)], 200)), ["money"]);
    });
});

describe("counters", () => {
    it("accepts what lies between acknowledged and tried", () => {
        const counts = [count(1, 1), count(2, undefined, "unknown"), count(3, 3)];
        assert.deepEqual(verifyCounters(counts, [reading(2.2, 1), reading(2.7, 2)], new Map([[0, 3]])), []);
        assert.deepEqual(verifyCounters([count(1, undefined, "unknown")], [], new Map([[0, 0]])), []);
    });

    it("reports an increment that is gone in the end", () => {
        assert.deepEqual(kinds(verifyCounters([count(1, 1), count(2, 2)], [], new Map([[0, 1]]))), ["went-back"]);
    });

    it("reports a read on the read-write entry that is older than what was acknowledged, not on a replica", () => {
        const counts = [count(1, 1), count(2, 2)];
        const final = new Map([[0, 2]]);
        assert.deepEqual(kinds(verifyCounters(counts, [reading(3, 1)], final)), ["went-back"]);
        assert.deepEqual(verifyCounters(counts, [reading(3, 1, "replica")], final), []);
        assert.equal(staleness(counts, [reading(3, 1, "replica")]), 1);
    });

    it("reports a read that is older than another one, though no client was told of what that one had seen", () => {
        const counts = [count(1, 1), count(2, undefined, "unknown")];
        const [seen, gone] = [reading(3, 2), reading(4, 1)];
        assert.deepEqual(kinds(verifyCounters(counts, [gone, seen], new Map([[0, 2]]))), ["went-back"]);
        assert.deepEqual(kinds(verifyCounters(counts, [seen], new Map([[0, 1]]))), ["went-back"]);
        // Of two at the same time either may have been the first, and a replica may be behind.
        assert.deepEqual(verifyCounters(counts, [{ ...seen, end: 4.5 }, gone], new Map([[0, 2]])), []);
        assert.deepEqual(verifyCounters(counts, [seen, reading(4, 1, "replica")], new Map([[0, 2]])), []);
    });

    it("reports an answer that a client had before", () => {
        assert.ok(kinds(verifyCounters([count(1, 1), count(2, 1)], [], new Map([[0, 1]]))).includes("went-back"));
    });

    it("takes a counter that is not there for one at nought", async () => {
        const session = { query: () => Promise.resolve({ rows: [] }) } as unknown as Session;
        const work: Work = { kind: "count" };
        await doWork(work, { session, round: "r", client: 0, id: 2, commitSent: () => undefined });
        assert.equal(work.value, 0);
        assert.ok(kinds(verifyCounters([count(1, 1), count(2, 0)], [], new Map())).includes("went-back"));
    });

    it("reports an increment that was made twice", () => {
        assert.deepEqual(kinds(verifyCounters([count(1, 1)], [], new Map([[0, 2]]))), ["too-many"]);
    });
});
