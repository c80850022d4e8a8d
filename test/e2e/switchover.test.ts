import { switchover } from "../../drills/faults/switchovers";
import { surviveFault, useCluster } from "./support";

describe("a switchover", () => {
    const cluster = useCluster();

    it("hands over within seconds and loses nothing", async function () {
        this.timeout(300_000);
        await surviveFault(cluster(), switchover);
    });
});
