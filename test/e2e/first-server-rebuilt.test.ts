import assert from "node:assert/strict";
import { machineDelete } from "../../drills/faults/machine-delete";
import { surviveFault, useCluster } from "./support";

describe("loss of the first server with its disks", () => {
    const cluster = useCluster();

    it("loses nothing, and pulumi up works without it and makes it anew", async function () {
        this.timeout(1_500_000);
        const [first] = cluster().state.machines;
        assert.ok(first !== undefined);
        const fault = machineDelete("first-server-delete", "the first server is lost for good", () =>
            Promise.resolve(first.name),
        );
        await surviveFault(cluster(), { ...fault, name: "first-server-delete" });
        const { nodes } = await cluster().observe();
        assert.ok(nodes?.some(({ name, role }) => name === first.name && role === "server"));
    });
});
