import assert from "node:assert/strict";
import fc from "fast-check";
import type { Operation, Outcome } from "../../../drills/ledger/operation";
import { verifyRows } from "../../../drills/ledger/verification";

const operation = (id: number, outcome: Outcome): Operation => ({
    client: 0,
    id,
    begin: id,
    end: id + 1,
    outcome,
    work: { kind: "insert" },
});
const found = (...ids: number[]): Map<number, number> => new Map(ids.map((id) => [id, 1]));

describe("verification of the ledger", () => {
    const told = [operation(1, "ok"), operation(2, "ok"), operation(3, "failed"), operation(4, "unknown")];

    it("accepts a database that holds every acknowledged row once, with or without the unknown ones", () => {
        assert.deepEqual(verifyRows(told, found(1, 2)), []);
        assert.deepEqual(verifyRows(told, found(1, 2, 4)), []);
    });

    it("reports an acknowledged row that is missing as lost", () => {
        assert.deepEqual(
            verifyRows(told, found(1)).map(({ kind, id }) => [kind, id]),
            [["lost", 2]],
        );
    });

    it("reports a failed write that is there", () => {
        assert.deepEqual(
            verifyRows(told, found(1, 2, 3)).map(({ kind, id }) => [kind, id]),
            [["phantom", 3]],
        );
    });

    it("reports a row that is there twice", () => {
        const twice = new Map([
            [1, 2],
            [2, 1],
        ]);
        assert.deepEqual(
            verifyRows(told, twice).map(({ kind, id }) => [kind, id]),
            [["duplicated", 1]],
        );
    });

    it("reports a row that nobody wrote", () => {
        assert.deepEqual(
            verifyRows(told, found(1, 2, 9)).map(({ kind, id }) => [kind, id]),
            [["foreign", 9]],
        );
    });

    it("finds exactly the rows taken away from any ledger", () => {
        const outcomes = fc.array(fc.constantFrom<Outcome>("ok", "failed", "unknown"), { maxLength: 60 });
        const property = fc.property(outcomes, fc.func(fc.boolean()), (kinds, takeAway) => {
            const operations = kinds.map((outcome, id) => operation(id, outcome));
            const acknowledged = operations.filter(({ outcome }) => outcome === "ok").map(({ id }) => id);
            const taken = acknowledged.filter((id) => takeAway(id));
            const left = acknowledged.filter((id) => !taken.includes(id));
            const lost = verifyRows(operations, found(...left)).filter(({ kind }) => kind === "lost");
            assert.deepEqual(
                lost.map(({ id }) => id),
                taken,
            );
        });
        fc.assert(property);
    });
});
