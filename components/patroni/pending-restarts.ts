import { setTimeout as sleep } from "node:timers/promises";
import type { SshConnection } from "../machines/ssh";
import { step } from "../progress";
import { askAnyInstance, listMembers, type ClusterLocation, type Member } from "./api";
import { switchOver } from "./roll";

/** What can be done about the next instance whose parameters wait for a restart. */
export type Restart =
    | { how: "restart a replica"; name: string }
    | { how: "restart the primary in place"; name: string }
    | { how: "switch over"; name: string };

/**
 * A replica refuses to run with less of these than its primary, and Patroni starts it with the primary's value. Raised,
 * they go to the replicas first, as everything else does. Lowered, to the primary first and while it stays primary: an
 * old primary that became a replica would start with its successor's value, and nothing would ever be lowered.
 */
const neverBelowPrimary = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/**
 * The next restart in order: replicas one by one, the synchronous standby last of them; then a switchover, in which the
 * old primary restarts as a replica. What is lowered for the primary first comes after what is raised for the replicas
 * first. Undefined when no instance waits for a restart.
 */
export function nextRestart(members: Member[]): Restart | undefined {
    const pending = members.filter((member) => member.pending_restart === true);
    const leader = pending.find(({ role }) => role === "leader");
    const replicas = pending
        .filter(({ role }) => role !== "leader")
        .sort((a, b) => Number(a.role === "sync_standby") - Number(b.role === "sync_standby"));
    const inPlace = leader && changes(leader, (old, now) => now < old) ? leader : undefined;
    const raised = replicas.find((replica) => changes(replica, (old, now) => now > old));
    const replica = inPlace ? raised : replicas[0];
    if (replica) return { how: "restart a replica", name: replica.name };
    if (inPlace) return { how: "restart the primary in place", name: inPlace.name };
    return leader && { how: "switch over", name: leader.name };
}

const changes = ({ pending_restart_reason: reasons = {} }: Member, compare: (old: number, now: number) => boolean) =>
    neverBelowPrimary.some((parameter) => {
        const reason = reasons[parameter];
        return reason !== undefined && compare(Number(reason.old_value), Number(reason.new_value));
    });

/** What a restart needs of the cluster. */
export interface Restartable {
    members(): Promise<Member[]>;
    /** Waits until a primary serves and every replica streams, one of them as synchronous standby; else throws. */
    whole(): Promise<unknown>;
    restart(name: string, role: "primary" | "replica"): Promise<void>;
    switchOver(leader: string): Promise<void>;
}

/** Restarts what waits for it, one instance at a time and each only in a whole cluster. Returns what was done. */
export async function restartPending(cluster: Restartable): Promise<Restart[]> {
    const done: Restart[] = [];
    for (;;) {
        const members = await cluster.members();
        const next = nextRestart(members);
        if (next === undefined) return done;
        // A replica may have to go twice when a parameter is lowered: before and after it has replayed the new value.
        if (done.length > 3 * members.length) {
            const left = members.filter((member) => member.pending_restart).map(({ name }) => name);
            throw new Error(
                `${left.join(", ")}: parameters still wait for a restart after ${done.length} restarts; ` +
                    "see patronictl list in a pod, and correct the parameters",
            );
        }
        await cluster.whole();
        if (next.how === "switch over") await cluster.switchOver(next.name);
        else await cluster.restart(next.name, next.how === "restart a replica" ? "replica" : "primary");
        await cluster.whole();
        done.push(next);
    }
}

/** Seconds Patroni gives an instance to come up again; a primary that does not hands over to a replica. */
const restartSeconds = 60;

/** Two loops of Patroni, after which the members' flags and states are those after the restart. */
const reportMs = 3000;

/** The cluster as Patroni's REST API offers it. */
export function restartable(ssh: SshConnection, location: ClusterLocation, whole: () => Promise<unknown>): Restartable {
    return {
        members: () => listMembers(ssh, location),
        whole,
        restart: (name, role) =>
            step(location.cluster, `restarting PostgreSQL of ${name} (${role}) for changed parameters`, async () => {
                const body = { role, restart_pending: true, timeout: restartSeconds };
                const own = { ...location, instances: [name] };
                await askAnyInstance<string>(ssh, own, "POST", "/restart", body, restartSeconds + 10).catch(ifStillDue);
                await sleep(reportMs);
            }),
        switchOver: (leader) =>
            step(location.cluster, `switching over from ${leader}, which restarts for changed parameters`, async () => {
                await switchOver(ssh, location, leader);
                await sleep(reportMs);
            }),
    };
}

/** Patroni refuses when the flag is gone or the role has changed: then the next look decides anew. */
function ifStillDue(error: unknown): void {
    if (!(error instanceof Error) || !error.message.includes("restart conditions are not satisfied")) throw error;
}
