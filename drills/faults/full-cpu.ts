import type { Fault } from "./fault";

const unit = "drill-full-cpu";

const fullCpu = (seconds: number, long: boolean): Fault => ({
    name: `full-cpu-${seconds}`,
    imitates: `every core of every machine is busy for ${seconds} s, and nothing is broken: nobody may be deposed`,
    bar: "process",
    failover: "forbidden",
    holdSeconds: seconds,
    long,
    prepare(cluster) {
        const { shells } = cluster;
        const loop = "for core in $(seq $(nproc)); do while :; do :; done & done; wait";
        const begin = `systemd-run --quiet --collect --unit=${unit} --property=RuntimeMaxSec=${seconds + 30} bash -c '${loop}'`;
        return Promise.resolve({
            target: "every machine",
            inject: async () => void (await Promise.all(shells.map((ssh) => ssh.run(begin)))),
            heal: async () =>
                void (await Promise.all(
                    shells.map((ssh) => ssh.run(`systemctl stop ${unit}`, { allowFailure: true })),
                )),
        });
    },
});

export const fullCpuMinute = fullCpu(60, false);
export const fullCpuTenMinutes = fullCpu(600, true);
