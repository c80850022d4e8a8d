import assert from "node:assert/strict";
import { outage } from "../../../drills/ledger/outage";
import { median, percentile, spread } from "../../../drills/statistics";

describe("outage", () => {
    it("lasts from the last acknowledgement before the fault to the first after it", () => {
        const gap = outage([1000, 2000, 5500, 5600], 2100, 6000);
        assert.deepEqual(gap, { seconds: 3.5, from: 2000, until: 5500 });
    });

    it("counts from where acknowledgements really stopped when the fault bites late", () => {
        const gap = outage([1000, 1900, 2100, 2300, 4800, 4900], 2000, 5000);
        assert.deepEqual(gap, { seconds: 2.5, from: 2300, until: 4800 });
    });

    it("does not count a pause from before the fault", () => {
        assert.equal(outage([1000, 9000, 9100, 9200], 9050, 9300).seconds, 0.1);
    });

    it("lasts until the end when no acknowledgement came", () => {
        assert.deepEqual(outage([1000, 2000], 2100, 60_000), { seconds: 58, from: 2000, until: undefined });
        assert.deepEqual(outage([], 2000, 5000), { seconds: 3, from: 2000, until: undefined });
    });

    it("ignores acknowledgements after the end of what is looked at", () => {
        assert.deepEqual(outage([1000, 2000, 9000], 1500, 4000), { seconds: 2, from: 2000, until: undefined });
    });
});

describe("statistics of rounds", () => {
    it("gives percentiles that were measured, not interpolated", () => {
        assert.deepEqual(spread([5, 1, 4, 2, 3]), { p50: 3, p95: 5, max: 5 });
        assert.equal(percentile([7], 95), 7);
        assert.ok(Number.isNaN(percentile([], 50)));
    });

    it("gives the median of an even number of values between the two in the middle", () => {
        assert.equal(median([4, 1, 3, 2]), 2.5);
        assert.equal(median([9, 1, 5]), 5);
        assert.ok(Number.isNaN(median([])));
    });
});
