import assert from "node:assert/strict";
import { readStackState } from "../../commands/status/stack-state";
import { machineDelete } from "../../drills/faults/machine-delete";
import { surviveFault, useCluster } from "./support";

describe("pulumi refresh", () => {
    const cluster = useCluster();

    const machinesInState = async (): Promise<unknown[]> => {
        const { resources } = await readStackState(cluster().workspace);
        return resources.filter(({ type }) => type.endsWith(":DockerMachine")).map(({ outputs }) => outputs["machine"]);
    };

    it("notices that the first server is gone with its disks, and the next update brings it back into the cluster", async function () {
        this.timeout(1_500_000);
        const before = await machinesInState();
        let lost: unknown[] = [];
        const heal = async (): Promise<void> => {
            await cluster().refresh();
            const left = await machinesInState();
            lost = before.filter((machine) => !left.includes(machine));
            await cluster().update();
        };
        const [first] = cluster().state.machines;
        assert.ok(first !== undefined);
        const fault = machineDelete("first-server-delete", "the first server is lost for good", () =>
            Promise.resolve(first.name),
        );
        await surviveFault(cluster(), fault, { heal });
        assert.deepEqual(lost, [first.name]);
        assert.deepEqual((await machinesInState()).sort(), before.sort());
        const { nodes } = await cluster().observe();
        assert.ok(nodes?.some(({ name, role }) => name === first.name && role === "server"));
    });
});
