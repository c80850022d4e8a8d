import { docker } from "../../components/docker-cli";
import { dockerLabels } from "../../components/naming";
import type { Cluster, PlacedInstance } from "../cluster";
import { providerObstacle } from "../machine/power";
import type { Fault } from "./fault";

/** Chooses what to delete; `pulumi up` makes the machine anew under the same name. */
export const machineDelete = (
    name: string,
    imitates: string,
    choose: (cluster: Cluster) => Promise<PlacedInstance | string>,
): Fault => ({
    name,
    imitates,
    bar: "machine",
    failover: "allowed",
    awayUntilHealed: true,
    redundantWithin: 300,
    long: true,
    obstacle: ({ state }) => Promise.resolve(providerObstacle(state.machines)),
    async prepare(cluster) {
        const chosen = await choose(cluster);
        const machine = typeof chosen === "string" ? cluster.machine(chosen) : chosen.machine;
        const { container } = machine;
        if (container === undefined) {
            throw new Error(`${machine.name} was not made by this stack; it is not deleted`);
        }
        const labels = { [dockerLabels.stack]: cluster.state.stack, [dockerLabels.machine]: machine.name };
        const filters = Object.entries(labels).flatMap(([key, value]) => ["--filter", `label=${key}=${value}`]);
        const volumes = (await docker(["volume", "ls", "--quiet", ...filters])).split("\n");
        return {
            target: machine.name,
            async inject() {
                await docker(["rm", "--force", container]);
                await docker(["volume", "rm", "--force", ...volumes]);
            },
            heal: () => cluster.update(),
        };
    },
});

export const replicaMachineDelete = machineDelete(
    "replica-machine-delete",
    "the machine of the synchronous standby is lost for good together with its disks",
    (cluster) => cluster.standby(),
);

export const primaryMachineDelete = machineDelete(
    "primary-machine-delete",
    "the machine of the primary is lost for good together with its disks",
    (cluster) => cluster.primary(),
);
