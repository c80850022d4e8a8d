import assert from "node:assert/strict";
import fc from "fast-check";
import { findAnomalies } from "../../../drills/ledger/lists/anomalies";
import type { Transaction } from "../../../drills/ledger/lists/history";
import type { ListStep, Outcome } from "../../../drills/ledger/operation";

const append = (key: number, item: number): ListStep => ({ key, append: item });
const read = (key: number, ...items: number[]): ListStep => ({ key, read: items });
const transaction = (id: number, steps: ListStep[], outcome: Outcome = "ok"): Transaction => ({
    id,
    outcome,
    on: "primary",
    steps,
});
const lists = (...of: number[][]): Map<number, number[]> => new Map(of.map((items, at) => [at + 1, items]));
const kinds = (history: Transaction[], final: Map<number, number[]>): string[] =>
    [...new Set(findAnomalies(history, final).map(({ kind }) => kind))].sort();

describe("anomalies in histories of lists", () => {
    it("finds none where transactions ran one after the other", () => {
        const history = [
            transaction(1, [append(1, 10), append(2, 11)]),
            transaction(2, [read(1, 10), append(1, 20), read(1, 10, 20)]),
            transaction(3, [read(1, 10, 20), read(2, 11)]),
        ];
        assert.deepEqual(findAnomalies(history, lists([10, 20], [11])), []);
    });

    it("takes an unknown transaction for committed when it is there, and for nothing when it is not", () => {
        const history = [transaction(1, [append(1, 10)], "unknown"), transaction(2, [append(1, 20)], "unknown")];
        assert.deepEqual(findAnomalies(history, lists([20])), []);
    });

    it("G0: two transactions overwrote each other", () => {
        const history = [
            transaction(1, [append(1, 10), append(2, 11)]),
            transaction(2, [append(1, 20), append(2, 21)]),
        ];
        assert.deepEqual(kinds(history, lists([10, 20], [21, 11])), ["G0"]);
    });

    it("G1a: what was refused, or never came to be, was read", () => {
        const refused = [transaction(1, [append(1, 10)], "failed"), transaction(2, [read(1, 10)])];
        assert.deepEqual(kinds(refused, lists([])), ["G1a"]);
        const vanished = [transaction(1, [append(1, 10)], "unknown"), transaction(2, [read(1, 10)])];
        assert.deepEqual(kinds(vanished, lists([])), ["G1a-unknown"]);
    });

    it("G1b: the middle of a transaction was read", () => {
        const history = [transaction(1, [append(1, 10), append(1, 11)]), transaction(2, [read(1, 10)])];
        assert.ok(kinds(history, lists([10, 11])).includes("G1b"));
    });

    it("G1c: two transactions saw each other's work", () => {
        const history = [transaction(1, [append(1, 10), read(2, 20)]), transaction(2, [append(2, 20), read(1, 10)])];
        assert.deepEqual(kinds(history, lists([10], [20])), ["G1c"]);
    });

    it("G-single: a reader saw a part of what was written together", () => {
        const history = [transaction(1, [append(1, 10), append(2, 11)]), transaction(2, [read(1, 10), read(2)])];
        assert.deepEqual(kinds(history, lists([10], [11])), ["G-single"]);
    });

    it("does not report write skew, which has two anti-dependencies", () => {
        const history = [transaction(1, [read(1), append(2, 11)]), transaction(2, [read(2), append(1, 20)])];
        assert.deepEqual(findAnomalies(history, lists([20], [11])), []);
    });

    it("lost update: two transactions changed the same state of a list", () => {
        const history = [transaction(1, [read(1), append(1, 10)]), transaction(2, [read(1), append(1, 20)])];
        assert.deepEqual(kinds(history, lists([10, 20])), ["G-single", "lost-update"]);
    });

    it("reports an acknowledged append that is missing, one that is there twice, one refused and one of nobody", () => {
        assert.deepEqual(kinds([transaction(1, [append(1, 10)])], lists([])), ["lost"]);
        assert.deepEqual(kinds([transaction(1, [append(1, 10)])], lists([10, 10])), ["duplicated"]);
        assert.deepEqual(kinds([transaction(1, [append(1, 10)], "failed")], lists([10])), ["phantom"]);
        assert.deepEqual(kinds([], lists([10])), ["foreign"]);
    });

    it("reports half a transaction", () => {
        const history = [transaction(1, [append(1, 10), append(2, 11)], "unknown")];
        assert.deepEqual(kinds(history, lists([10], [])), ["torn"]);
    });

    it("reports a transaction that does not see its own work, and a state that a list never had", () => {
        assert.deepEqual(kinds([transaction(1, [append(1, 10), read(1)])], lists([10])), ["internal"]);
        const history = [
            transaction(1, [append(1, 10)]),
            transaction(2, [append(1, 20)]),
            transaction(3, [read(1, 20, 10)]),
        ];
        assert.ok(kinds(history, lists([10, 20])).includes("incompatible-order"));
    });

    /** A database that runs one transaction after the other, and forgets what was refused. */
    const serial = fc
        .array(
            fc.record({
                outcome: fc.constantFrom<Outcome>("ok", "ok", "failed", "unknown"),
                steps: fc.array(fc.record({ key: fc.integer({ min: 1, max: 3 }), isRead: fc.boolean() }), {
                    minLength: 1,
                    maxLength: 4,
                }),
            }),
            { maxLength: 30 },
        )
        .map((plans) => {
            const state = new Map([1, 2, 3].map((key) => [key, [] as number[]]));
            const history = plans.map(({ outcome, steps }, id) => {
                const kept = outcome === "ok" || (outcome === "unknown" && id % 2 === 0);
                const scratch = new Map([...state].map(([key, items]) => [key, [...items]]));
                const done = steps.map(({ key, isRead }, at): ListStep => {
                    const items = scratch.get(key) ?? [];
                    if (isRead) return { key, read: [...items] };
                    items.push(id * 10 + at);
                    return { key, append: id * 10 + at };
                });
                if (kept) for (const [key, items] of scratch) state.set(key, items);
                return transaction(id, done, outcome);
            });
            return { history, state };
        });

    it("finds none in any history of a serial database", () => {
        fc.assert(fc.property(serial, ({ history, state }) => assert.deepEqual(findAnomalies(history, state), [])));
    });

    it("finds any acknowledged append that is taken out of a serial database", () => {
        const property = fc.property(serial, fc.nat(), ({ history, state }, choice) => {
            const items = history
                .filter(({ outcome }) => outcome === "ok")
                .flatMap(({ steps }) => steps.flatMap((step) => ("append" in step ? [step] : [])));
            fc.pre(items.length > 0);
            const taken = items[choice % items.length];
            const final = new Map([...state].map(([key, all]) => [key, all.filter((item) => item !== taken?.append)]));
            assert.ok(kinds(history, final).includes("lost"));
        });
        fc.assert(property);
    });
});
