import type { Shell } from "../machine/shell";
import { processOf } from "../machine/processes";
import { undoLater } from "../machine/undo-later";
import type { Fault } from "./fault";

/** Bytes per second that are left to the primary's container. */
const throttled = 256 * 1024;

/** The control group of the primary's container (v2), and the device below its data. */
async function limits(ssh: Shell): Promise<{ file: string; device: string }> {
    const postmaster = await processOf(ssh, "postmaster");
    // Limits are of whole disks: of a partition the disk that it is on.
    const { stdout } = await ssh.run(
        `sed -n 's/^0:://p' /proc/${postmaster}/cgroup; number=$(stat -c %d /proc/${postmaster}/root/data/pgdata); ` +
            "device=$((number >> 8 & 0xfff)):$((number & 0xff | number >> 12 & 0xfff00)); " +
            "known=/sys/dev/block/$device; if test -e $known/partition; then cat $(readlink -f $known)/../dev; else echo $device; fi",
    );
    const [group = "", device = ""] = stdout.trim().split("\n");
    return { file: `/sys/fs/cgroup${group}/io.max`, device };
}

export const slowDisk: Fault = {
    name: "slow-disk",
    imitates: "the primary's disk is throttled to 256 kB/s, as a cloud does with a volume that used up its credit",
    bar: "frozen",
    failover: "allowed",
    holdSeconds: 60,
    async obstacle(cluster) {
        const { machine, ssh } = await cluster.primaryMachine();
        const { file, device } = await limits(ssh);
        const can = async (test: string) => (await ssh.run(`test ${test}`, { allowFailure: true })).exitCode === 0;
        if (!(await can(`-w ${file}`))) {
            return `${machine.name} has no cgroup v2 with the io controller; v1 does not throttle what an fsync writes back`;
        }
        // Of btrfs and ZFS the number is no device's.
        return (await can(`-e /sys/dev/block/${device}`))
            ? undefined
            : `the data of ${machine.name} is on no single disk (${device})`;
    },
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const { file, device } = await limits(ssh);
        const lift = `echo ${device} wbps=max > ${file}`;
        let callOff = (): Promise<void> => Promise.resolve();
        return {
            target: `${name} on ${machine.name}`,
            async inject() {
                callOff = await undoLater(ssh, lift);
                await ssh.run(`echo '${device} wbps=${throttled}' > ${file}`);
            },
            async notBitten() {
                // Where the container has ended meanwhile, its limits are gone with it.
                const { stdout } = await ssh.run(`cat ${file} 2>/dev/null || echo wbps=${throttled}`);
                return stdout.includes(`wbps=${throttled}`) ? undefined : `the limits are ${stdout.trim()}`;
            },
            async heal() {
                await ssh.run(lift, { allowFailure: true });
                await callOff();
            },
        };
    },
};

export const busyDisk: Fault = {
    name: "busy-disk",
    imitates:
        "another program on the primary's machine writes and fsyncs without pause, as a copy or a noisy neighbour",
    bar: "process",
    failover: "forbidden",
    holdSeconds: 30,
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        // Not truncated: whoever asks in that moment would find nothing written.
        const loop =
            "while :; do dd if=/dev/zero of=/var/lib/rancher/drill-busy bs=1M count=64 conv=fsync,notrunc; done";
        const run = "systemd-run --quiet --collect --unit=drill-busy-disk --property=RuntimeMaxSec=60";
        return {
            target: `${name} on ${machine.name}`,
            inject: async () => void (await ssh.run(`${run} bash -c '${loop}'`)),
            async notBitten() {
                const { stdout } = await ssh.run("stat -c %s /var/lib/rancher/drill-busy || true");
                return Number(stdout) > 0 ? undefined : "nothing was written";
            },
            async heal() {
                await ssh.run("systemctl stop drill-busy-disk; rm -f /var/lib/rancher/drill-busy", {
                    allowFailure: true,
                });
            },
        };
    },
};
