import type { SshConnection } from "../../components/machines/ssh";
import type { Cluster } from "../cluster";
import { process, type Program } from "../machine/processes";
import { machineCounters, parseCounters } from "../resource-use";

/** What parts of the stack have used so far: microseconds of CPU, and bytes in use now, without file cache that can be dropped. */
export type PartCounters = Record<string, { cpuMicroseconds: number; memory: number }>;

/** Containers are told by a process of theirs; that of PostgreSQL has Patroni in it, and on one machine the load. */
const parts: Record<string, Program> = { PostgreSQL: "postmaster", etcd: "etcd", HAProxy: "haproxy" };

/** Kubernetes, the agents and the runner of backups, the system. */
const rest = "everything else";

/** Counters of the control group of a process, of version 1 or 2. */
const readCounters = (pid: number): string => `
inactive() { awk -v name="$1" '$1 == name { print $2 }' "$2"; }
v2=$(sed -n 's/^0:://p' /proc/${pid}/cgroup)
if [ -r "/sys/fs/cgroup$v2/memory.current" ]; then
    cg=/sys/fs/cgroup$v2
    awk '$1 == "usage_usec" { print $2 }' "$cg/cpu.stat"
    echo $(($(cat "$cg/memory.current") - $(inactive inactive_file "$cg/memory.stat")))
else
    of() { sed -n "s/^[0-9]*:\\(.*,\\)\\{0,1\\}$1\\(,.*\\)\\{0,1\\}:\\(.*\\)/\\3/p" /proc/${pid}/cgroup; }
    echo $(($(cat "/sys/fs/cgroup/cpuacct$(of cpuacct)/cpuacct.usage") / 1000))
    cg=/sys/fs/cgroup/memory$(of memory)
    echo $(($(cat "$cg/memory.usage_in_bytes") - $(inactive total_inactive_file "$cg/memory.stat")))
fi`;

export async function partCounters(cluster: Cluster): Promise<PartCounters> {
    const machines = await Promise.all(
        cluster.state.machines.map(async ({ access }) => partsOf(await cluster.tunnel.ssh(access))),
    );
    return sum(machines);
}

/** On one machine, and together they are all of it. */
async function partsOf(ssh: SshConnection): Promise<PartCounters> {
    const reading = Object.entries(parts).map(async ([part, program]) => {
        const pid = await process(ssh, program).catch(() => undefined);
        return pid === undefined ? [] : [[part, parseCounters((await ssh.run(readCounters(pid))).stdout)] as const];
    });
    const [whole, ...found] = await Promise.all([machineCounters(ssh), ...reading]);
    const known = Object.fromEntries(found.flat());
    const left = (of: "cpuMicroseconds" | "memory") =>
        Math.max(0, whole[of] - Object.values(known).reduce((total, part) => total + part[of], 0));
    return { ...known, [rest]: { cpuMicroseconds: left("cpuMicroseconds"), memory: left("memory") } };
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
            (cpuMicroseconds - (before[part]?.cpuMicroseconds ?? 0)) / 1e6 / seconds,
        ]),
    );
