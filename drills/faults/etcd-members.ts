import { setTimeout as sleep } from "node:timers/promises";
import { probeEtcd } from "../../commands/status/etcd";
import type { Cluster, MachineOf } from "../cluster";
import { etcdLeader, etcdMembers } from "../machine/etcd-leader";
import { holdDown } from "../machine/hold-down";
import { processOf, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

export const etcdLeaderKill: Fault = {
    name: "etcd-leader-kill",
    imitates: "etcd's leader is ended without warning and started again by its machine",
    bar: "unaffected",
    failover: "forbidden",
    async prepare(cluster) {
        const { name, machine, ssh } = cluster.machineOf(await etcdLeader(cluster));
        const member = await processOf(ssh, "etcd");
        return {
            target: `${name} on ${machine.name}`,
            inject: () => signal(ssh, "KILL", [member]),
            heal: healsItself,
        };
    },
};

const membersDown = (name: string, imitates: string, seconds: number, count: number): Fault => ({
    name,
    imitates,
    bar: "unaffected",
    failover: "forbidden",
    awayUntilHealed: true,
    holdSeconds: seconds,
    async prepare(cluster) {
        const chosen = await leaderFirst(cluster);
        const holds = chosen.slice(0, count).map(({ ssh }) => holdDown(ssh, "etcd", seconds + 60));
        return {
            target: chosen
                .slice(0, count)
                .map((member) => member.name)
                .join(", "),
            inject: async () => void (await Promise.all(holds.map((hold) => hold.begin()))),
            async notBitten() {
                // A container that is started again lives until it is killed, some tenths of a second, and may be seen then.
                for (let look = 1; ; look += 1) {
                    const reason = await whyUp(cluster, count);
                    if (reason === undefined || look === 3) return reason;
                    await sleep(1000);
                }
            },
            heal: async () => void (await Promise.all(holds.map((hold) => hold.end()))),
        };
    },
});

/** Why it cannot be that so many members are down. */
async function whyUp(cluster: Cluster, count: number): Promise<string | undefined> {
    const { members, quorum } = await probeEtcd(cluster.state, cluster.tunnel);
    const isLost = 2 * (members.length - count) <= members.length;
    const up = members.filter(({ healthy }) => healthy).length;
    if (quorum === isLost) return `etcd has ${quorum ? "a" : "no"} majority`;
    return up > members.length - count ? `${up} members are up` : undefined;
}

async function leaderFirst(cluster: Cluster): Promise<MachineOf[]> {
    const leader = await etcdLeader(cluster);
    const members = await etcdMembers(cluster);
    members.sort((a, b) => Number(b.name === leader.name) - Number(a.name === leader.name));
    return members.map((member) => cluster.machineOf(member));
}

export const etcdOneMemberDown = membersDown(
    "etcd-one-member-down",
    "etcd's leader does not come up again for half a minute: two members are left, a majority",
    30,
    1,
);

export const etcdTwoMembersDown = membersDown(
    "etcd-two-members-down",
    "two of three etcd members are down for half a minute: no majority, no failover is possible",
    30,
    2,
);

export const etcdAllDown = membersDown(
    "etcd-all-down",
    "all of etcd is down for a minute: failsafe mode keeps the primary, because every replica answers it",
    60,
    3,
);
