import type { Fault } from "./fault";
import { powerOff, powerOn } from "./power";

export const primaryMachinePowerOff: Fault = {
    name: "primary-machine-power-off",
    imitates: "the machine of the primary loses its power, and is switched on again later with its disks",
    outageBar: 28,
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        return {
            target: `${machine.name} with ${name}`,
            inject: () => powerOff(cluster, machine),
            heal: () => powerOn(cluster, machine),
        };
    },
};
