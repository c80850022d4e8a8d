import type { KnownMachine } from "../../commands/status/stack-state";
import type { Cluster } from "../cluster";
import { memberObstacle, moveEtcdLeader, moveEtcdLeaderOff } from "../machine/etcd-leader";
import { powerObstacle, powerOf, type MachinePower } from "../machine/power";
import type { Fault, PreparedFault } from "./fault";

function powerOff(cluster: Cluster, machine: KnownMachine, what: string): PreparedFault {
    const power = powerOf(cluster, machine);
    return {
        ...startedByItself([power]),
        target: `${machine.name} with ${what}`,
        inject: () => power.off(),
        notBitten: () => power.notOff(),
        heal: () => power.on(),
    };
}

const startedByItself = (powers: MachinePower[]): Pick<PreparedFault, "upFor"> => {
    const own = powers.flatMap(({ upFor }) => upFor ?? []);
    return own.length === 0 ? {} : { upFor: () => Promise.all(own.map((seconds) => seconds())) };
};

export const primaryMachinePowerOff: Fault = {
    name: "primary-machine-power-off",
    imitates: "the machine of the primary loses its power, and is switched on again later with its disks",
    bar: "machine",
    failover: "expected",
    awayUntilHealed: true,
    redundantWithin: 60,
    obstacle: powerObstacle,
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        await moveEtcdLeaderOff(cluster, machine);
        return powerOff(cluster, machine, `${name}, etcd's leader elsewhere`);
    },
};

export const primaryAndEtcdLeaderPowerOff: Fault = {
    name: "primary-and-etcd-leader-power-off",
    imitates: "the machine of the primary and of etcd's leader loses its power, and is switched on again later",
    bar: "machine",
    failover: "expected",
    awayUntilHealed: true,
    redundantWithin: 60,
    obstacle: async (cluster) =>
        (await powerObstacle(cluster)) ?? memberObstacle(cluster, (await cluster.primary()).machine),
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        const prepared = powerOff(cluster, machine, `${name} and etcd's leader`);
        return {
            ...prepared,
            async inject() {
                await moveEtcdLeader(cluster, machine);
                await prepared.inject();
            },
        };
    },
};

export const etcdLeaderPowerOff: Fault = {
    name: "etcd-leader-power-off",
    imitates: "the machine of etcd's leader and an asynchronous replica loses its power",
    bar: "planned",
    failover: "forbidden",
    awayUntilHealed: true,
    redundantWithin: 60,
    async obstacle(cluster) {
        const replica = await cluster.asynchronousReplica();
        // A write waits for it until it is given up: that is another fault's.
        if (replica.synchronous) return "every replica is a synchronous standby";
        return (await powerObstacle(cluster)) ?? memberObstacle(cluster, replica.machine);
    },
    async prepare(cluster) {
        const { name, machine } = await cluster.asynchronousReplica();
        await moveEtcdLeader(cluster, machine);
        return powerOff(cluster, machine, `${name} and etcd's leader`);
    },
};

export const replicaMachinePowerOff: Fault = {
    name: "replica-machine-power-off",
    imitates: "the machine of the synchronous standby loses its power, and is switched on again later",
    bar: "standby",
    failover: "forbidden",
    awayUntilHealed: true,
    redundantWithin: 60,
    obstacle: powerObstacle,
    async prepare(cluster) {
        const { name, machine } = await cluster.standby();
        return powerOff(cluster, machine, name);
    },
};

export const everyMachinePowerOff: Fault = {
    name: "every-machine-power-off",
    imitates: "the whole site loses its power and gets it back after half a minute",
    bar: "restart",
    failover: "allowed",
    awayUntilHealed: true,
    holdSeconds: 30,
    long: true,
    obstacle: powerObstacle,
    async prepare(cluster) {
        const powers = cluster.state.machines.map((machine) => powerOf(cluster, machine));
        return {
            target: "every machine",
            inject: async () => void (await Promise.all(powers.map((power) => power.off()))),
            notBitten: async () =>
                (await Promise.all(powers.map((power) => power.notOff()))).find((reason) => reason !== undefined),
            ...startedByItself(powers),
            heal: async () => void (await Promise.all(powers.map((power) => power.on()))),
        };
    },
};
