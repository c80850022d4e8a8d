import assert from "node:assert/strict";
import { postmasterFreeze } from "../../drills/faults/freeze";
import { surviveFault, useCluster } from "./support";

describe("a postmaster of the primary that hangs", () => {
    const cluster = useCluster();

    it("is ended by the fence, another instance takes over, and nothing is lost", async function () {
        this.timeout(420_000);
        const { primary } = await surviveFault(cluster(), postmasterFreeze);
        assert.notEqual(primary.after, primary.before, "the primary is the same as before");
    });
});
