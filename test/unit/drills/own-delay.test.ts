import assert from "node:assert/strict";
import { OwnDelay } from "../../../drills/own-delay";

describe("what kept the drill from running", () => {
    it("is counted where it ended, and only what a client could notice", () => {
        let time = 0;
        const delay = new OwnDelay(() => time);
        delay.stop();
        for (const step of [20, 25, 60, 20, 320, 20, 1020]) {
            time += step;
            delay.take();
        }
        assert.equal(delay.seconds(0, 500), 0.3);
        assert.equal(delay.seconds(0, 2000), 1.3);
        assert.equal(delay.seconds(500, 2000), 1);
    });
});
