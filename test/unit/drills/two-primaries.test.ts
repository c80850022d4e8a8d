import assert from "node:assert/strict";
import { describeOverlap, overlaps, type Acceptance } from "../../../drills/ledger/two-primaries";

const accepted = (instance: string, begin: number, timeline: number, end = begin + 20): Acceptance => ({
    instance,
    begin,
    end,
    timeline,
});

describe("two primaries", () => {
    it("are not seen in a failover and a later switchover back", () => {
        const history = [
            accepted("postgres-0", 0, 1),
            accepted("postgres-0", 200, 1),
            accepted("postgres-1", 2400, 2),
            accepted("postgres-1", 2600, 2),
            accepted("postgres-0", 5000, 3),
        ];
        assert.deepEqual(overlaps(history), []);
    });

    it("are seen when both accept in the same moment", () => {
        const [found] = overlaps([accepted("postgres-0", 0, 1, 300), accepted("postgres-1", 250, 2)]);
        assert.match(found?.why ?? "", /same moment/);
    });

    it("are seen when the old one accepts after the new one has", () => {
        const [found] = overlaps([
            accepted("postgres-0", 0, 1),
            accepted("postgres-1", 2400, 2),
            accepted("postgres-0", 2500, 1),
        ]);
        assert.match(found?.why ?? "", /timeline 1 was written after timeline 2/);
        assert.equal(found?.second.instance, "postgres-0");
    });

    it("are seen when both write one timeline, even one after the other", () => {
        const [found] = overlaps([accepted("postgres-0", 0, 4), accepted("postgres-1", 9000, 4)]);
        assert.match(found?.why ?? "", /both wrote timeline 4/);
    });

    it("are told with names, timelines and times", () => {
        const [found] = overlaps([accepted("postgres-0", 0, 4), accepted("postgres-1", 9000, 4)]);
        assert.ok(found !== undefined);
        assert.equal(
            describeOverlap(found),
            "both wrote timeline 4: postgres-0 on timeline 4 from 1970-01-01T00:00:00.000Z to " +
                "1970-01-01T00:00:00.020Z, then postgres-1 on timeline 4 from " +
                "1970-01-01T00:00:09.000Z to 1970-01-01T00:00:09.020Z",
        );
    });

    it("are found whatever order the samples were recorded in", () => {
        const samples = [
            accepted("postgres-0", 2500, 1),
            accepted("postgres-1", 2400, 2),
            accepted("postgres-0", 0, 1),
        ];
        assert.equal(overlaps(samples).length, 1);
    });
});
