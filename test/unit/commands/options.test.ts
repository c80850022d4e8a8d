import assert from "node:assert/strict";
import { chosen, positive } from "../../../commands/options";

describe("options of a command", () => {
    it("are whole numbers of at least 1, or refused by name", () => {
        assert.equal(positive("rounds", "20"), 20);
        for (const text of ["0", "-1", "1.5", "many", ""]) {
            assert.throws(() => positive("rounds", text), new RegExp(`--rounds: ${text} is no number of at least 1`));
        }
    });

    it("choose in the order given, and name what there is when there is no such thing", () => {
        const known = [{ name: "tpcb-like" }, { name: "read-only" }];
        assert.deepEqual(chosen("loads", ["read-only", "tpcb-like"], known), [known[1], known[0]]);
        assert.throws(() => chosen("loads", ["read"], known), /--loads: there is no read\./);
    });
});
