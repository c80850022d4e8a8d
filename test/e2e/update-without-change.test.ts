import assert from "node:assert/strict";
import { measured, useCluster } from "./support";

describe("pulumi up with nothing to do", () => {
    const cluster = useCluster();

    it("shows no change, in at most 20 s", async function () {
        this.timeout(600_000);
        // What an earlier test left to mend is not this one's matter.
        await cluster().update();
        const begin = performance.now();
        await cluster().update("--expect-no-changes");
        const seconds = (performance.now() - begin) / 1000;
        measured("pulumi up without change", seconds);
        assert.ok(seconds <= 20, `${seconds.toFixed(1)} s`);
    });
});
