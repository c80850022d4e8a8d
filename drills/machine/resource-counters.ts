import type { Shell } from "./shell";

/** What something has used so far. */
export interface Counters {
    cpuMicroseconds: number;
    /** Bytes in use now; of the file cache only what was used lately, as `kubectl top` counts it. */
    memory: number;
}

/** Print both, a line each, of a control group: of version 2 by its directory, of version 1 by those of its two controllers. */
const groups = `set -e
inactive() { awk -v name="$1" '$1 == name { print $2 }' "$2/memory.stat"; }
version2() {
    awk '$1 == "usage_usec" { print $2 }' "$1/cpu.stat"
    echo $(($(cat "$1/memory.current") - $(inactive inactive_file "$1")))
}
version1() {
    echo $(($(cat "$1/cpuacct.usage") / 1000))
    echo $(($(cat "$2/memory.usage_in_bytes") - $(inactive total_inactive_file "$2")))
}
cg=/sys/fs/cgroup
container_of() {
    one=$(sed -n 's/^0:://p' /proc/$1/cgroup)
    if [ -r "$cg$one/memory.current" ]; then
        version2 "$cg$one"
    else
        of() { sed -n "s/^[0-9]*:\\(.*,\\)\\{0,1\\}$2\\(,.*\\)\\{0,1\\}:\\(.*\\)/\\3/p" /proc/$1/cgroup; }
        version1 "$cg/cpuacct$(of $1 cpuacct)" "$cg/memory$(of $1 memory)"
    fi
}
`;

/** Of its own control group where the machine is a container, of the kernel where it is a machine. */
const ofMachine = `
if [ -r $cg/memory.current ]; then
    version2 $cg
elif [ -r $cg/memory/memory.usage_in_bytes ] && systemd-detect-virt --quiet --container; then
    version1 $cg/cpuacct $cg/memory
else
    awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { print int(($2 + $3 + $4 + $7 + $8) * 1000000 / hz) }' /proc/stat
    awk '$1 == "MemTotal:" { t = $2 } $1 == "MemAvailable:" { a = $2 } END { print (t - a) * 1024 }' /proc/meminfo
fi
`;

/** Of a machine with everything on it, and then of the container of each of these processes, in one command. */
export async function readCounters(ssh: Shell, pids: number[] = []): Promise<[Counters, ...Counters[]]> {
    const { stdout } = await ssh.run(groups + ofMachine + pids.map((pid) => `container_of ${pid}\n`).join(""));
    return parseCounters(stdout, pids.length + 1) as [Counters, ...Counters[]];
}

export function parseCounters(text: string, count: number): Counters[] {
    const numbers = text.trim().split("\n").map(Number);
    if (numbers.length !== 2 * count || !numbers.every(Number.isFinite)) {
        throw new Error(`${2 * count} numbers were expected, these came: ${text.trim()}`);
    }
    return Array.from({ length: count }, (_, index) => ({
        cpuMicroseconds: numbers[2 * index] as number,
        memory: numbers[2 * index + 1] as number,
    }));
}
