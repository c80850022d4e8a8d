import { askJson } from "../../components/https";
import { ports } from "../../components/naming";
import type { StackState } from "./stack-state";
import type { Tunnel } from "./tunnel";

export interface EtcdMemberStatus {
    name: string;
    healthy: boolean;
    leader: boolean;
    learner: boolean;
    /** Bytes of its database file. */
    databaseSize?: number;
    alarms: string[];
    problem?: string;
}

export interface EtcdStatus {
    members: EtcdMemberStatus[];
    /** A linearizable read worked: a majority agrees. */
    quorum: boolean;
}

interface MaintenanceStatus {
    header: { member_id: string };
    leader?: string;
    dbSize?: string;
    isLearner?: boolean;
    errors?: string[];
}

interface Alarms {
    alarms?: { memberID: string; alarm: string }[];
}

/** Members of the database's etcd, asked through the JSON gateway that Patroni uses too. */
export async function probeEtcd(state: StackState, tunnel: Tunnel, timeoutMs = 4000): Promise<EtcdStatus> {
    const post = async <Answer>(host: string, path: string, body: object): Promise<Answer> => {
        const stream = await tunnel.connect(host, ports.etcdClient, timeoutMs);
        const tls = state.etcdAccess;
        return askJson<Answer>({ host, port: ports.etcdClient, path, method: "POST", body, tls, stream, timeoutMs });
    };
    const ofEach = <Answer>(path: string, body: object): Promise<(Answer | Error)[]> =>
        Promise.all(
            state.etcdMembers.map(({ address }) => post<Answer>(address, path, body).catch((error: Error) => error)),
        );
    const [statuses, reads, alarms] = await Promise.all([
        ofEach<MaintenanceStatus>("/v3/maintenance/status", {}),
        ofEach<object>("/v3/cluster/member/list", { linearizable: true }),
        ofEach<Alarms>("/v3/maintenance/alarm", { action: "GET" }),
    ]);
    const alarmed = alarms.find((answer): answer is Alarms => !(answer instanceof Error));
    const members = state.etcdMembers.map(({ name }, index) =>
        describeMember(name, statuses[index] ?? new Error("not asked"), alarmed?.alarms ?? [], reads[index]),
    );
    return { members, quorum: reads.some((read) => !(read instanceof Error)) };
}

/** `read`: a linearizable read through this member, in which its leader has a part. */
export function describeMember(
    name: string,
    status: MaintenanceStatus | Error,
    alarms: NonNullable<Alarms["alarms"]>,
    read?: object,
): EtcdMemberStatus {
    if (status instanceof Error) {
        return { name, healthy: false, leader: false, learner: false, alarms: [], problem: status.message };
    }
    const id = status.header.member_id;
    const hasLeader = (status.leader ?? "0") !== "0";
    // A learner may not answer it.
    const unread =
        read instanceof Error && !status.isLearner ? `does not reach its leader: ${read.message}` : undefined;
    const problem = status.errors?.join("; ") ?? (hasLeader ? unread : "sees no leader");
    return {
        name,
        healthy: problem === undefined,
        leader: hasLeader && status.leader === id,
        learner: status.isLearner ?? false,
        databaseSize: Number(status.dbSize ?? 0),
        alarms: alarms.filter(({ memberID }) => memberID === id).map(({ alarm }) => alarm),
        problem,
    };
}
