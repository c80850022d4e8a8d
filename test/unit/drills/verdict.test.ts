import assert from "node:assert/strict";
import type { Operation, Outcome } from "../../../drills/ledger/operation";
import type { Reading } from "../../../drills/ledger/reader";
import { accounts, openingBalance, type Found } from "../../../drills/ledger/table";
import { judgeLedger, type Verdict } from "../../../drills/ledger/verdict";

const append = (outcome: Outcome): Operation => ({
    ...{ client: 0, id: 1, begin: 1, end: 2, outcome },
    work: { kind: "lists", steps: [10, 11].map((item, at) => ({ key: at + 1, append: item })) },
});

/** A read of two lists on one entry, while the append was under way. */
const reading = (from: Reading["from"], ...lists: number[][]): Reading => ({
    ...{
        entry: "one:5432",
        from,
        begin: 1,
        end: 2,
        total: accounts * openingBalance,
        counters: new Map<number, number>(),
    },
    lists: new Map(lists.map((items, at) => [at + 1, items])),
});

const found = (...lists: number[][]): Found => ({
    writes: new Map(),
    transfers: new Map(),
    balances: new Map(Array.from({ length: accounts }, (_, index) => [index + 1, openingBalance])),
    counters: new Map(),
    lists: new Map(lists.map((items, at) => [at + 1, items])),
});

const judge = (operation: Operation, seen: Reading, left: Found): Verdict =>
    judgeLedger({
        ...{ operations: [operation], readings: [seen], misled: 2, faultAt: 0, entries: ["one:5432", "two:5432"] },
        found: left,
    });

const violated = ({ violations }: Verdict): string[] => violations.map(({ kind }) => kind);

describe("the verdict on what replicas show", () => {
    it("accepts there, and only there, a write that never came to be and that nobody was told of", () => {
        const onReplica = judge(append("unknown"), reading("replica", [10], [11]), found([], []));
        assert.deepEqual(violated(onReplica), []);
        assert.ok(onReplica.onReplicas.anomalies.every(({ kind }) => kind === "G1a-unknown"));
        assert.equal(onReplica.onReplicas.anomalies.length, 2);
        const onPrimary = judge(append("unknown"), reading("primary", [10], [11]), found([], []));
        assert.deepEqual(violated(onPrimary), ["G1a-unknown", "G1a-unknown"]);
    });

    it("accepts no half of a write that never came to be, and nothing that follows it", () => {
        const half = judge(append("unknown"), reading("replica", [10], []), found([], []));
        assert.deepEqual(violated(half), ["torn"]);
        const followed = reading("replica", [10, 5], [11]);
        assert.ok(violated(judge(append("unknown"), followed, found([5], []))).includes("incompatible-order"));
        const ended = reading("replica", [5, 10], [11]);
        assert.deepEqual(violated(judge(append("unknown"), ended, found([5], []))), ["foreign"]);
    });

    it("counts what was read through each entry", () => {
        const seen = judge(append("ok"), reading("replica", [], []), found([10], [11]));
        assert.deepEqual(seen.readsPerEntry, { "one:5432": 1, "two:5432": 0 });
    });

    it("counts who was led to a standby, readers and writers", () => {
        const reason = "cannot execute INSERT in a read-only transaction";
        const seen = judge({ ...append("failed"), reason }, reading("primary", [], []), found([], []));
        assert.equal(seen.ledToStandby, 3);
        assert.equal(judge(append("ok"), reading("primary", [], []), found([10], [11])).ledToStandby, 2);
    });

    it("accepts an older state", () => {
        const stale = judge(append("ok"), reading("replica", [], []), found([10], [11]));
        assert.deepEqual([violated(stale), stale.onReplicas.anomalies], [[], []]);
    });

    it("accepts no refused write and no half of a transaction", () => {
        const refused = judge(append("failed"), reading("replica", [10], [11]), found([], []));
        assert.deepEqual(violated(refused), ["G1a", "G1a"]);
        const half = judge(append("ok"), reading("replica", [10], []), found([10], [11]));
        assert.deepEqual(violated(half), ["G-single"]);
    });
});
