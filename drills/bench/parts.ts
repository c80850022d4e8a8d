import type { Shell } from "../machine/shell";
import type { Cluster } from "../cluster";
import { processes, type Program } from "../machine/processes";
import { readCounters, type Counters } from "../machine/resource-counters";

/** What parts of the stack have used so far. */
export type PartCounters = Record<string, Counters>;

/** Containers are told by a process of theirs; that of PostgreSQL has Patroni in it, that of etcd is the database's own. */
const parts: Record<string, Program> = { PostgreSQL: "postmaster", etcd: "etcd", HAProxy: "haproxy" };

/** Kubernetes with its etcd, the agents and the runner of backups, the system; the load, which runs in no container. */
const rest = "everything else, with the load";

interface Watched {
    ssh: Shell;
    /** By part; a machine need not have each. */
    pids: [string, number][];
}

/** The parts of a stack on its machines. Together they are all of these; the object store is a machine of its own. */
export class Parts {
    private constructor(private readonly machines: Watched[]) {}

    static async find(cluster: Cluster): Promise<Parts> {
        const machines = cluster.state.machines.map(async (machine): Promise<Watched> => {
            const ssh = cluster.shell(machine);
            const found = Object.entries(parts).map(async ([part, program]): Promise<[string, number][]> => {
                const [pid] = await processes(ssh, program);
                return pid === undefined ? [] : [[part, pid]];
            });
            return { ssh, pids: (await Promise.all(found)).flat() };
        });
        return new Parts(await Promise.all(machines));
    }

    /** Fails where a process is gone that was there when they were found. */
    async counters(): Promise<PartCounters> {
        const machines = this.machines.map(async ({ ssh, pids }): Promise<PartCounters> => {
            const [whole, ...found] = await readCounters(
                ssh,
                pids.map(([, pid]) => pid),
            );
            const left = (of: keyof Counters) =>
                Math.max(0, whole[of] - found.reduce((total, part) => total + part[of], 0));
            return {
                ...Object.fromEntries(pids.map(([part], index) => [part, found[index] as Counters])),
                [rest]: { cpuMicroseconds: left("cpuMicroseconds"), memory: left("memory") },
            };
        });
        return sum(await Promise.all(machines));
    }
}

export function sum(machines: PartCounters[]): PartCounters {
    const total: PartCounters = {};
    for (const [part, { cpuMicroseconds, memory }] of machines.flatMap((each) => Object.entries(each))) {
        const so = total[part] ?? { cpuMicroseconds: 0, memory: 0 };
        total[part] = { cpuMicroseconds: so.cpuMicroseconds + cpuMicroseconds, memory: so.memory + memory };
    }
    return total;
}

export const coresBetween = (before: PartCounters, after: PartCounters, seconds: number): Record<string, number> =>
    Object.fromEntries(
        Object.entries(after).map(([part, { cpuMicroseconds }]) => [
            part,
            (cpuMicroseconds - (before[part]?.cpuMicroseconds ?? NaN)) / 1e6 / seconds,
        ]),
    );
