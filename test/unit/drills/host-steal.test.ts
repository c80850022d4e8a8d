import assert from "node:assert/strict";
import { parseCpuTicks, StealRecord, stolenShare } from "../../../drills/host-steal";

describe("CPU time stolen by the hypervisor", () => {
    it("is the eighth figure of the cpu line", () => {
        const stat = "cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert.deepEqual(parseCpuTicks(stat), { total: 1000, stolen: 35 });
    });

    it("is a share of the time between two readings", () => {
        const share = stolenShare({ total: 1000, stolen: 100 }, { total: 1400, stolen: 200 });
        assert.equal(share, 0.25);
    });

    it("is told of the stretch that is asked for, not of the calm around it", () => {
        let at = 0;
        let stolen = 0;
        const record = new StealRecord(
            () => at,
            () => ({ total: at, stolen }),
        );
        record.stop();
        for (const taken of [0, 0, 500, 0, 0]) {
            [at, stolen] = [at + 1000, stolen + taken];
            record.take();
        }
        assert.equal(record.share(2000, 3000), 0.5);
        assert.equal(record.share(2100, 2900), 0.5);
        assert.equal(record.share(0, 5000), 0.1);
        assert.equal(record.share(4000, 9000), 0);
    });

    it("is none when no time has passed", () => {
        assert.equal(stolenShare({ total: 5, stolen: 1 }, { total: 5, stolen: 1 }), 0);
    });
});
