import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "./cluster";
import { readCounters } from "./machine/resource-counters";
import { markdownTable } from "./report/markdown";

export interface ResourceUse {
    /** Processor cores in use, on average over the time. */
    cores: number;
    /** Bytes of memory in use at its end; of the file cache only what was used lately. */
    memory: number;
}

/** What each machine, with everything on it, uses while nobody asks anything of the database. */
export async function measureIdle(cluster: Cluster, seconds = 60): Promise<Map<string, ResourceUse>> {
    const measured = cluster.state.machines.map(async (machine) => {
        const { name } = machine;
        const ssh = cluster.shell(machine);
        const read = async () => ({ at: performance.now(), ...(await readCounters(ssh))[0] });
        const first = await read();
        await sleep(seconds * 1000);
        const last = await read();
        const cores = (last.cpuMicroseconds - first.cpuMicroseconds) / 1000 / (last.at - first.at);
        return [name, { cores, memory: last.memory }] as const;
    });
    return new Map(await Promise.all(measured));
}

export function idleTable(use: Map<string, ResourceUse>, seconds: number): string {
    const row = (name: string, { cores, memory }: ResourceUse) => [
        name,
        cores.toFixed(2),
        (memory / 2 ** 30).toFixed(2),
    ];
    const total = [...use.values()].reduce(
        (sum, { cores, memory }) => ({ cores: sum.cores + cores, memory: sum.memory + memory }),
        { cores: 0, memory: 0 },
    );
    const rows = [...use].map(([name, value]) => row(name, value));
    return markdownTable(["machine", `cores over ${seconds} s`, "memory (GiB)"], [...rows, row("whole stack", total)]);
}
