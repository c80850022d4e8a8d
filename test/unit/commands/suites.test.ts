import assert from "node:assert/strict";
import { tellingLines } from "../../../commands/suites";

describe("the end of a failed check", () => {
    const numbered = (name: string, count: number): string[] =>
        Array.from({ length: count }, (_, index) => `${name} ${index}`);

    it("keeps an error that much progress follows", () => {
        const lines = [...numbered("before", 50), "    error: no primary", ...numbered("progress", 200)];
        const told = tellingLines(lines);
        assert.equal(told[0], "    error: no primary");
        assert.equal(told.at(-1), "progress 199");
        assert.equal(told.includes("progress 100"), false);
    });

    it("tells no line twice", () => {
        const lines = [...numbered("before", 50), "error: first", "error: second", "end"];
        const told = tellingLines(lines);
        assert.equal(new Set(told).size, told.length);
        assert.deepEqual(told.slice(-3), ["error: first", "error: second", "end"]);
    });
});
