import assert from "node:assert/strict";
import { replicaMachineDelete } from "../../drills/faults/machine-delete";
import { surviveFault, useCluster } from "./support";

describe("loss of a replica's machine with its disks", () => {
    const cluster = useCluster();

    it("loses nothing, and pulumi up makes it anew under the same name with three members streaming", async function () {
        this.timeout(1_500_000);
        const names = cluster().state.machines.map(({ name }) => name);
        const { target } = await surviveFault(cluster(), replicaMachineDelete);
        const { instances, nodes } = await cluster().observe();
        assert.ok(names.includes(target));
        assert.deepEqual((nodes ?? []).map(({ name }) => name).sort(), [...names].sort());
        assert.equal(instances.filter(({ state }) => state === "streaming").length, 2);
    });
});
