import { setTimeout as sleep } from "node:timers/promises";
import { probeEtcd } from "../../commands/status/etcd";
import type { KnownMachine } from "../../commands/status/stack-state";
import { askJson } from "../../components/https";
import { ports } from "../../components/naming";
import type { Cluster, PlacedInstance } from "../cluster";

/** The member that leads etcd, and its machine. */
export async function etcdLeader(cluster: Cluster): Promise<PlacedInstance> {
    const { members } = await probeEtcd(cluster.state, cluster.tunnel);
    const leader = members.find((member) => member.leader);
    if (leader === undefined) {
        throw new Error("etcd has no leader");
    }
    return cluster.place(leader.name);
}

export const etcdMembers = (cluster: Cluster): Promise<PlacedInstance[]> =>
    Promise.all(cluster.state.etcdMembers.map(({ name }) => cluster.place(name)));

/** Why etcd cannot be led from a machine; undefined when it can. */
export async function memberObstacle(cluster: Cluster, { name }: KnownMachine): Promise<string | undefined> {
    const members = await etcdMembers(cluster);
    return members.some(({ machine }) => machine.name === name) ? undefined : `no member of etcd is on ${name}`;
}

/** Hands etcd's leadership to a member on any other machine, where it is on this one. */
export async function moveEtcdLeaderOff(cluster: Cluster, machine: KnownMachine): Promise<void> {
    if ((await etcdLeader(cluster)).machine.name !== machine.name) return;
    const other = (await etcdMembers(cluster)).find((placed) => placed.machine.name !== machine.name);
    if (other === undefined) {
        throw new Error(`every member of etcd is on ${machine.name}`);
    }
    await moveEtcdLeader(cluster, other.machine);
}

/** Hands etcd's leadership to the member on a machine; it is there when this returns. */
export async function moveEtcdLeader(cluster: Cluster, machine: KnownMachine): Promise<void> {
    const member = (await etcdMembers(cluster)).find((placed) => placed.machine.name === machine.name);
    if (member === undefined) {
        throw new Error(`${machine.name} has no etcd member`);
    }
    for (let attempt = 1; attempt <= 5; attempt += 1) {
        const leader = await etcdLeader(cluster);
        if (leader.name === member.name) {
            return;
        }
        const target = await ask<{ header: { member_id: string } }>(cluster, member.name, "status", {});
        await ask(cluster, leader.name, "transfer-leadership", { targetID: target.header.member_id });
        await sleep(200);
    }
    throw new Error(`etcd's leadership does not stay with ${member.name}`);
}

async function ask<Answer>(cluster: Cluster, member: string, path: string, body: object): Promise<Answer> {
    const { tunnel, state } = cluster;
    const host = state.etcdMembers.find(({ name }) => name === member)?.address ?? member;
    const stream = await tunnel.connect(host, ports.etcdClient, 4000);
    return askJson<Answer>({
        host,
        port: ports.etcdClient,
        path: `/v3/maintenance/${path}`,
        method: "POST",
        body,
        tls: state.etcdAccess,
        stream,
        timeoutMs: 4000,
    });
}
