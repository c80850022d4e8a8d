import { memberObstacle, moveEtcdLeader, moveEtcdLeaderOff } from "../machine/etcd-leader";
import { providerObstacle, powerOf } from "../machine/power";
import type { Fault } from "./fault";

/** What comes back believes that no time has passed: it is primary, and on it etcd's leader believes to lead. */
const machinePause = (seconds: number, withEtcdLeader: boolean): Fault => ({
    name: `machine-pause-${seconds}${withEtcdLeader ? "-etcd-leader" : ""}`,
    imitates:
        `the primary's machine ${withEtcdLeader ? "with etcd's leader " : ""}stands still for ${seconds} s and goes on ` +
        "where it was, as in a snapshot or a live migration",
    bar: "machine",
    failover: seconds > 60 ? "expected" : "allowed",
    awayUntilHealed: true,
    holdSeconds: seconds,
    long: seconds > 60,
    obstacle: async (cluster) =>
        providerObstacle(cluster.state.machines) ??
        (withEtcdLeader ? memberObstacle(cluster, (await cluster.primary()).machine) : undefined),
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        const power = powerOf(cluster, machine);
        if (!withEtcdLeader) await moveEtcdLeaderOff(cluster, machine);
        return {
            target: `${machine.name} with ${name}${withEtcdLeader ? " and etcd's leader" : ", etcd's leader elsewhere"}`,
            async inject() {
                if (withEtcdLeader) {
                    await moveEtcdLeader(cluster, machine);
                }
                await power.pause();
            },
            heal: () => power.resume(),
        };
    },
});

export const machinePauses = [10, 40, 120].flatMap((seconds) => [
    machinePause(seconds, false),
    machinePause(seconds, true),
]);
