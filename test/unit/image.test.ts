import assert from "node:assert/strict";
import { image } from "../../components/images/image";

describe("an image of the stack", () => {
    it("is another one with the packages of another day, and the same with those of the same", () => {
        const references = [undefined, "2026-11-29", "2026-11-30", "2026-11-29"].map(
            (day) => image("etcd", day).reference,
        );
        assert.equal(new Set(references).size, 3);
        assert.equal(references[1], references[3]);
    });
});
