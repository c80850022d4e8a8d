import assert from "node:assert/strict";
import { asIso8601 } from "../../../stacks/restore";

describe("the moment of a restore", () => {
    it("is understood as the CLI hands over one that stands without quotes", () => {
        assert.equal(asIso8601("2026-03-01 12:00:00.25 +0000 UTC"), "2026-03-01T12:00:00.25+00:00");
        assert.equal(asIso8601("2026-03-01 12:00:00 +0200 +0200"), "2026-03-01T12:00:00+02:00");
    });

    it("is left as it is in every other form", () => {
        for (const text of ["2026-03-01T12:00:00+00:00", "2026-03-01 12:00:00", "yesterday"]) {
            assert.equal(asIso8601(text), text);
        }
    });
});
