import type { KnownMachine } from "../../commands/status/stack-state";
import type { Cluster } from "../cluster";
import { moveEtcdLeader, etcdLeader } from "../machine/etcd-leader";
import { powerObstacle, powerOf } from "../machine/power";
import type { Fault, PreparedFault } from "./fault";

function powerOff(cluster: Cluster, machine: KnownMachine, what: string): PreparedFault {
    const power = powerOf(cluster, machine);
    return {
        target: `${machine.name} with ${what}`,
        inject: () => power.off(),
        notBitten: () => power.notOff(),
        heal: () => power.on(),
        startsAgainByItself: machine.container === undefined,
    };
}

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
        if ((await etcdLeader(cluster)).machine.name === machine.name) {
            await moveEtcdLeader(cluster, (await cluster.standby()).machine);
        }
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
    obstacle: powerObstacle,
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
    obstacle: powerObstacle,
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
            startsAgainByItself: cluster.state.machines.some(({ container }) => container === undefined),
            heal: async () => void (await Promise.all(powers.map((power) => power.on()))),
        };
    },
};
