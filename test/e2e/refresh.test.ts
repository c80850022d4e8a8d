import assert from "node:assert/strict";
import { readStackState } from "../../commands/status/stack-state";
import { replicaMachineDelete } from "../../drills/faults/machine-delete";
import { surviveFault, useCluster } from "./support";

describe("pulumi refresh", () => {
    const cluster = useCluster();

    const machinesInState = async (): Promise<unknown[]> => {
        const { resources } = await readStackState(cluster().workspace);
        return resources.filter(({ type }) => type.endsWith(":DockerMachine")).map(({ outputs }) => outputs["machine"]);
    };

    it("notices a machine that is gone, and the next update brings it back into the cluster", async function () {
        this.timeout(1_500_000);
        const before = await machinesInState();
        let lost: unknown[] = [];
        const heal = async (): Promise<void> => {
            await cluster().pulumi("refresh", "--yes", "--skip-preview", "--suppress-outputs");
            const left = await machinesInState();
            lost = before.filter((machine) => !left.includes(machine));
            await cluster().update();
        };
        const { target } = await surviveFault(cluster(), { ...replicaMachineDelete, name: "refresh" }, { heal });
        assert.deepEqual(lost, [target]);
        assert.deepEqual((await machinesInState()).sort(), before.sort());
    });
});
