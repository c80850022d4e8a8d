import { setTimeout as sleep } from "node:timers/promises";
import type { SshConnection } from "../components/machines/ssh";
import type { Cluster } from "./cluster";
import { markdownTable } from "./report/markdown";

export interface ResourceUse {
    /** Processor cores in use, on average over the time. */
    cores: number;
    /** Bytes of memory in use at its end, without file cache that can be dropped at once. */
    memory: number;
}

/**
 * Counters of a machine as a whole: of its own control group where it is a container (v2, else v1), of the kernel
 * where it is a machine. Prints microseconds of CPU used so far, and bytes in use.
 */
const readCounters = `
cg=/sys/fs/cgroup
if [ -r $cg/memory.current ]; then
    awk '$1 == "usage_usec" { print $2 }' $cg/cpu.stat
    inactive=$(awk '$1 == "inactive_file" { print $2 }' $cg/memory.stat)
    echo $(($(cat $cg/memory.current) - inactive))
elif [ -r $cg/memory/memory.usage_in_bytes ] && systemd-detect-virt --quiet --container; then
    echo $(($(cat $cg/cpuacct/cpuacct.usage) / 1000))
    inactive=$(awk '$1 == "total_inactive_file" { print $2 }' $cg/memory/memory.stat)
    echo $(($(cat $cg/memory/memory.usage_in_bytes) - inactive))
else
    awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { print int(($2 + $3 + $4 + $7 + $8) * 1000000 / hz) }' /proc/stat
    awk '$1 == "MemTotal:" { t = $2 } $1 == "MemAvailable:" { a = $2 } END { print (t - a) * 1024 }' /proc/meminfo
fi`;

export function parseCounters(text: string): { cpuMicroseconds: number; memory: number } {
    const [cpuMicroseconds, memory] = text.trim().split("\n").map(Number);
    if (!Number.isFinite(cpuMicroseconds) || !Number.isFinite(memory)) {
        throw new Error(`two numbers were expected, these came: ${text.trim()}`);
    }
    return { cpuMicroseconds: cpuMicroseconds as number, memory: memory as number };
}

/** Of a machine as a whole, so far. */
export const machineCounters = async (ssh: SshConnection): Promise<{ cpuMicroseconds: number; memory: number }> =>
    parseCounters((await ssh.run(readCounters)).stdout);

/** What each machine, with everything on it, uses while nobody asks anything of the database. */
export async function measureIdle(cluster: Cluster, seconds = 60): Promise<Map<string, ResourceUse>> {
    const measured = cluster.state.machines.map(async ({ name, access }) => {
        const ssh = await cluster.tunnel.ssh(access);
        const read = async () => ({ at: performance.now(), ...(await machineCounters(ssh)) });
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
