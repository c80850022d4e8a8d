import { primaryPodDelete } from "../../drills/faults/pod-delete";
import { surviveFault, useCluster } from "./support";

describe("deletion of the primary's pod", () => {
    const cluster = useCluster();

    it("interrupts writes for at most 5 s, loses nothing, and heals by itself", async function () {
        this.timeout(420_000);
        await surviveFault(cluster(), primaryPodDelete);
    });
});
