import type { LabContainer } from "./container";

/** A member as it describes itself in etcd. */
export interface MemberView {
    role: string;
    state: string;
    timeline?: number;
    replication_state?: string;
}

/** What etcd holds of the cluster. */
export interface EtcdView {
    leader?: string;
    /** Lease of the leader lock, hexadecimal. */
    leaderLease?: string;
    sync?: { leader: string | null; sync_standby: string | null };
    members: Record<string, MemberView>;
}

interface RangeAnswer {
    kvs?: { key: string; value: string; lease?: string }[];
}

export const prefix = "/service/lab/";

const text = (base64: string): string => Buffer.from(base64, "base64").toString();

export const endpoints = (members: number[]): string =>
    members.map((number) => `http://127.0.0.${number}:2379`).join(",");

/** Linearizable, through the members named: a frozen one would take the client's whole patience. */
export async function readEtcd(container: LabContainer, members: number[]): Promise<EtcdView> {
    const answer = await container.run(
        `etcdctl --endpoints ${endpoints(members)} --command-timeout 15s get --prefix ${prefix} --write-out json`,
    );
    // Lease ids are beyond what a JavaScript number holds.
    const { kvs = [] } = JSON.parse(answer.replace(/"lease":(\d+)/g, '"lease":"$1"')) as RangeAnswer;
    const view: EtcdView = { members: {} };
    for (const { key, value, lease } of kvs) {
        const name = text(key).slice(prefix.length);
        if (name === "leader") {
            view.leader = text(value);
            view.leaderLease = lease === undefined ? undefined : BigInt(lease).toString(16);
        } else if (name === "sync") {
            view.sync = JSON.parse(text(value)) as EtcdView["sync"];
        } else if (name.startsWith("members/")) {
            view.members[name.slice("members/".length)] = JSON.parse(text(value)) as MemberView;
        }
    }
    return view;
}
