import { core } from "../../drills/faults/catalogue";
import { skipWhenLate, surviveFault, useCluster } from "./support";

/** Those have tests of their own. */
const elsewhere = ["switchover", "postmaster-kill", "primary-pod-delete"];

describe("a fault of the core set", () => {
    const cluster = useCluster();
    beforeEach(skipWhenLate);

    for (const fault of core.filter(({ name }) => !elsewhere.includes(name))) {
        it(`loses nothing and keeps its bars: ${fault.name}`, async function () {
            this.timeout(900_000);
            await surviveFault(cluster(), fault);
        });
    }
});
