import { dockerLabels } from "../../components/naming";
import type { Cluster, PlacedInstance } from "../cluster";
import type { Fault } from "./fault";

/** Chooses what to delete; `pulumi up` makes the machine anew under the same name. */
export const machineDelete = (choose: (cluster: Cluster) => Promise<PlacedInstance | string>): Fault => ({
    name: "machine-delete",
    imitates: "a machine is lost for good together with its disks",
    outageBar: 28,
    async prepare(cluster) {
        const chosen = await choose(cluster);
        const machine = typeof chosen === "string" ? cluster.machine(chosen) : chosen.machine;
        const container = cluster.container(machine, "deleting a machine with its disks");
        const labels = { [dockerLabels.stack]: cluster.state.stack, [dockerLabels.machine]: machine.name };
        const filters = Object.entries(labels).flatMap(([key, value]) => ["--filter", `label=${key}=${value}`]);
        const volumes = (await cluster.docker(["volume", "ls", "--quiet", ...filters])).split("\n");
        return {
            target: machine.name,
            async inject() {
                await cluster.docker(["rm", "--force", container]);
                await cluster.docker(["volume", "rm", "--force", ...volumes]);
            },
            heal: () => cluster.update(),
        };
    },
});

/** The synchronous standby: the replica whose loss is felt. */
export const replicaMachineDelete = machineDelete(async (cluster) => {
    const [standby] = await cluster.replicas();
    if (standby === undefined) {
        throw new Error("there is no replica");
    }
    return standby;
});
