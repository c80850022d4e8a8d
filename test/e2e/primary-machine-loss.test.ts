import assert from "node:assert/strict";
import { probeMachines } from "../../commands/status/machines";
import { primaryMachinePowerOff } from "../../drills/faults/machine-power-off";
import { surviveFault, useCluster } from "./support";

describe("power loss of the primary's machine", () => {
    const cluster = useCluster();

    it("interrupts writes for at most ttl and 7 s, loses nothing, and pulumi up switches the machine on again", async function () {
        this.timeout(900_000);
        const heal = async (): Promise<void> => {
            const machines = await probeMachines(cluster().state, cluster().tunnel);
            const states = machines.map(({ state }) => state).sort();
            assert.deepEqual(states, ["exited", "running", "running"]);
            await cluster().update();
        };
        await surviveFault(cluster(), primaryMachinePowerOff, { heal });
    });
});
