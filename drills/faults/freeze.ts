import type { Shell } from "../machine/shell";
import type { Cluster, MachineOf } from "../cluster";
import { processOf, processes, resume, signal, withChildren } from "../machine/processes";
import { undoLater } from "../machine/undo-later";
import type { Fault, PreparedFault } from "./fault";

async function freeze(on: MachineOf, find: (ssh: Shell) => Promise<number[]>): Promise<PreparedFault> {
    const { name, machine, ssh } = on;
    let frozen: number[] = [];
    let callOff = (): Promise<void> => Promise.resolve();
    return {
        target: `${name} on ${machine.name}`,
        async inject() {
            frozen = await find(ssh);
            callOff = await undoLater(ssh, `kill -CONT ${frozen.join(" ")} 2>/dev/null; true`);
            await signal(ssh, "STOP", frozen);
        },
        async heal() {
            await resume(ssh, frozen);
            await callOff();
        },
    };
}

const postmaster = async (ssh: Shell): Promise<number[]> => [await processOf(ssh, "postmaster")];
const allOfPostgres = async (ssh: Shell) => withChildren(ssh, await processOf(ssh, "postmaster"));
const patroni = (ssh: Shell) => processes(ssh, "patroni");
const both = async (ssh: Shell) => [...(await patroni(ssh)), ...(await allOfPostgres(ssh))];

const ofPrimary = (find: (ssh: Shell) => Promise<number[]>) => async (cluster: Cluster) =>
    freeze(await cluster.primaryMachine(), find);

export const postmasterFreeze: Fault = {
    name: "postmaster-freeze",
    imitates: "the primary's postmaster hangs: open sessions work on, nobody gets a new one",
    bar: "frozen",
    // Patroni never notices (#1371); the fence ends the instance within 14 s (patroni/image/bin/fence).
    failover: "expected",
    holdSeconds: 30,
    prepare: ofPrimary(postmaster),
};

export const postgresFreeze: Fault = {
    name: "postgres-freeze",
    imitates: "all of the primary's PostgreSQL hangs, as on a disk that answers no more",
    bar: "frozen",
    failover: "expected",
    prepare: ofPrimary(allOfPostgres),
};

export const patroniFreeze: Fault = {
    name: "patroni-freeze",
    imitates: "the primary's Patroni hangs while its PostgreSQL works on",
    bar: "frozen",
    failover: "allowed",
    holdSeconds: 60,
    prepare: ofPrimary(patroni),
};

export const instanceFreeze: Fault = {
    name: "instance-freeze",
    imitates: "the primary's Patroni and PostgreSQL hang together and wake up when another is primary",
    bar: "frozen",
    failover: "expected",
    prepare: ofPrimary(both),
};

export const standbyFreeze: Fault = {
    name: "standby-freeze",
    imitates: "the synchronous standby's PostgreSQL hangs: nothing is acknowledged until it is given up",
    bar: "standby",
    failover: "forbidden",
    holdSeconds: 30,
    async prepare(cluster) {
        return freeze(cluster.machineOf(await cluster.standby()), allOfPostgres);
    },
};
