import type { Cluster } from "../cluster";
import { process, type Program } from "../machine/processes";

/** What parts of the stack have used so far: microseconds of CPU, and bytes now. */
export type PartCounters = Record<string, { cpuMicroseconds: number; memory: number }>;

/** Containers are told by a process of theirs. */
const parts: Record<string, Program> = { PostgreSQL: "postmaster", etcd: "etcd", HAProxy: "haproxy" };

/** Counters of the control group of a process, of version 1 or 2. */
const readCounters = (pid: number): string => `
v2=$(sed -n 's/^0:://p' /proc/${pid}/cgroup)
if [ -r "/sys/fs/cgroup$v2/memory.current" ]; then
    awk '$1 == "usage_usec" { print $2 }' "/sys/fs/cgroup$v2/cpu.stat"; cat "/sys/fs/cgroup$v2/memory.current"
else
    of() { sed -n "s/^[0-9]*:\\(.*,\\)\\{0,1\\}$1\\(,.*\\)\\{0,1\\}:\\(.*\\)/\\3/p" /proc/${pid}/cgroup; }
    echo $(($(cat "/sys/fs/cgroup/cpuacct$(of cpuacct)/cpuacct.usage") / 1000))
    cat "/sys/fs/cgroup/memory$(of memory)/memory.usage_in_bytes"
fi`;

export async function partCounters(cluster: Cluster): Promise<PartCounters> {
    const total: PartCounters = {};
    await Promise.all(
        cluster.state.machines.flatMap(({ access }) =>
            Object.entries(parts).map(async ([part, program]) => {
                const ssh = await cluster.tunnel.ssh(access);
                const pid = await process(ssh, program).catch(() => undefined);
                if (pid === undefined) {
                    return;
                }
                const { stdout } = await ssh.run(readCounters(pid));
                const [cpuMicroseconds = 0, memory = 0] = stdout.trim().split("\n").map(Number);
                const sum = total[part] ?? { cpuMicroseconds: 0, memory: 0 };
                total[part] = {
                    cpuMicroseconds: sum.cpuMicroseconds + cpuMicroseconds,
                    memory: sum.memory + memory,
                };
            }),
        ),
    );
    return total;
}

export const coresBetween = (before: PartCounters, after: PartCounters, seconds: number): Record<string, number> =>
    Object.fromEntries(
        Object.entries(after).map(([part, { cpuMicroseconds }]) => [
            part,
            (cpuMicroseconds - (before[part]?.cpuMicroseconds ?? 0)) / 1e6 / seconds,
        ]),
    );
