import { postmasterKill } from "../../drills/faults/postmaster-kill";
import { surviveFault, useCluster } from "./support";

describe("kill -9 of the primary's postmaster", () => {
    const cluster = useCluster();

    it("interrupts writes for at most 5 s, loses nothing, and heals by itself", async function () {
        this.timeout(420_000);
        await surviveFault(cluster(), postmasterKill);
    });
});
