import { warnBeforeDays, youngerByDays } from "../../components/certificates/renewal";
import { backupReasons, unarchivedOf } from "./backup-lines";
import type { Observation } from "./collect";

export interface Assessment {
    /** A write works now, through at least one entry. */
    serving: boolean;
    /** A failure now would lose nothing and heal by itself. */
    redundant: boolean;
    /** Why not, when not redundant. */
    reasons: string[];
    /** What a loss of every machine needs to be undone is there. Undefined in a stack without backups. */
    recoverable: boolean | undefined;
    /** Why not, when not recoverable. */
    backupReasons: string[];
}

export function assess(seen: Observation, now: Date): Assessment {
    const reasons = [
        ...wholenessReasons(seen),
        ...diskReasons(seen),
        ...settingReasons(seen),
        ...certificateReasons(seen, now),
    ];
    const serving = seen.writes.some(({ accepted }) => accepted);
    const missing = backupReasons(seen.backup, unarchivedOf(seen.writes));
    return {
        serving,
        redundant: serving && reasons.length === 0,
        reasons,
        recoverable: seen.backup === undefined ? undefined : missing.length === 0,
        backupReasons: missing,
    };
}

/** What is missing of any layer. */
export const wholenessReasons = (seen: Observation): string[] => [
    ...machineReasons(seen),
    ...nodeReasons(seen),
    ...databaseReasons(seen),
    ...entryReasons(seen),
];

/** What keeps the database itself, apart from machines and Kubernetes, from losing nothing and healing. */
export const databaseReasons = (seen: Pick<Observation, "etcd" | "instances">): string[] => [
    ...etcdReasons(seen),
    ...instanceReasons(seen),
];

const machineReasons = ({ machines }: Observation): string[] =>
    machines
        .filter(({ reachable, state }) => !reachable || state !== "running")
        .map(({ name, state, reachable }) => `machine ${name} is ${state}${reachable ? "" : " and not reachable"}`);

/** Nothing is missing yet. */
const diskReasons = ({ machines }: Observation): string[] =>
    machines.flatMap(({ name, disks = [] }) =>
        disks
            .filter(({ usedPercent }) => usedPercent >= fullPercent)
            .map(
                ({ folder, usedPercent }) =>
                    `machine ${name}: the disk below ${folder} is ${usedPercent} % full; PostgreSQL and etcd stop when it is`,
            ),
    );

/** From here on a standby keeps no WAL for the archive (patroni/image/backup/agent.py). */
const fullPercent = 90;

function nodeReasons({ nodes, machines }: Observation): string[] {
    if (nodes === undefined) {
        return ["the Kubernetes API answers on no server: nothing is rescheduled or restarted elsewhere"];
    }
    return [
        ...nodes.filter(({ ready }) => !ready).map(({ name }) => `node ${name} is not Ready`),
        ...nodes
            .filter(({ cordoned }) => cordoned)
            .map(
                ({ name }) =>
                    `node ${name} is cordoned: what stops there does not start again (kubectl uncordon ${name})`,
            ),
        ...machines
            .filter(({ name }) => !nodes.some((node) => node.name === name))
            .map(({ name }) => `machine ${name} is no node of the cluster`),
        ...nodes
            .filter(({ name }) => !machines.some((machine) => machine.name === name))
            .map(
                ({ name }) =>
                    `node ${name} is none of the stack's machines: it was taken out and has come back; on it ` +
                    `\`systemctl disable --now k3s k3s-agent\`, then \`kubectl delete node ${name}\``,
            ),
    ];
}

function etcdReasons({ etcd }: Pick<Observation, "etcd">): string[] {
    const { members, quorum } = etcd;
    const voters = members.filter(({ healthy, learner }) => healthy && !learner).length;
    const majority = Math.floor(members.length / 2) + 1;
    return [
        ...(quorum ? [] : ["etcd has no quorum: no failover is possible"]),
        ...(quorum && voters <= majority
            ? [`etcd: ${voters} voting members are left, one less would be no quorum`]
            : []),
        ...members
            .filter(({ healthy }) => !healthy)
            .map(({ name, problem }) => `etcd member ${name}: ${problem ?? "not healthy"}`),
        ...members.filter(({ learner }) => learner).map(({ name }) => `etcd member ${name} is still a learner`),
        ...members.flatMap(({ name, alarms }) => alarms.map((alarm) => `etcd member ${name} has the alarm ${alarm}`)),
    ];
}

function instanceReasons({ instances }: Pick<Observation, "instances">): string[] {
    const primaries = instances.filter(({ role, answers }) => role === "primary" && answers);
    const primary = primaries[0];
    const replicas = instances.filter(({ role }) => role !== "primary");
    const streaming = replicas.filter(({ answers, state }) => answers && state === "streaming");
    return [
        ...(primaries.length === 1 && primary?.state === "running" ? [] : ["no instance is a running primary"]),
        ...(streaming.some(({ synchronous }) => synchronous) ? [] : ["no synchronous standby streams"]),
        ...replicas
            .filter((replica) => !streaming.includes(replica))
            .map(({ name, state }) => `instance ${name}: ${state}`),
        ...streaming
            .filter(({ timeline }) => primary !== undefined && timeline !== primary.timeline)
            .map(
                ({ name, timeline }) =>
                    `instance ${name} is on timeline ${timeline}, the primary on ${primary?.timeline}`,
            ),
    ];
}

const entryReasons = ({ writes, reads }: Observation): string[] => [
    ...writes
        .filter(({ accepted }) => !accepted)
        .map(({ entry, problem }) => `entry ${entry} takes no write: ${problem ?? "unknown"}`),
    ...reads
        .filter(({ problem }) => problem !== undefined)
        .map(({ entry, problem }) => `entry ${entry} answers no read: ${problem}`),
];

/** Levels of `synchronous_commit` at which an acknowledged write is on the disks of two machines. */
const onTwoDisks = ["on", "remote_apply"];

/** What a person set, that an update would set back, or that holds for the application's sessions only. */
function settingReasons({ patroni, instances, writes }: Observation): string[] {
    const levels = new Set(writes.flatMap(({ synchronousCommit }) => synchronousCommit ?? []));
    const standbys = instances.filter(({ synchronous, state }) => synchronous && state === "streaming").length;
    const wanted = patroni?.synchronousStandbys ?? 1;
    const weak = [...levels].filter((level) => !onTwoDisks.includes(level));
    return [
        ...(patroni === undefined ? ["Patroni's settings are not known: no instance tells them"] : []),
        ...(patroni?.paused === true ? ["Patroni is paused: nobody is promoted until `patronictl resume`"] : []),
        ...(patroni?.strict === false
            ? ["strict synchronous replication is off: what is acknowledged may be lost, `pulumi up` sets it back"]
            : []),
        // Without any, that is said already.
        ...(standbys > 0 && standbys < wanted ? [`${standbys} of ${wanted} synchronous standbys stream`] : []),
        ...weak.map((level) => `synchronous_commit is ${level} for the application: what is acknowledged may be lost`),
    ];
}

/** Of PostgreSQL's certificates, as served, the first to end; the stack's others are made and renewed together with them. */
export function certificateEnd({ writes, reads }: Pick<Observation, "writes" | "reads">): Date | undefined {
    const ends = [...writes, ...reads].flatMap(({ certificateEnd: end }) => end?.getTime() ?? []);
    return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

export const daysUntil = (end: Date, now: Date): number => Math.floor((end.getTime() - now.getTime()) / 86_400_000);

/** Their end is the end of service: of etcd, of Patroni and of the proxies' checks, at once. */
function certificateReasons(seen: Observation, now: Date): string[] {
    const end = certificateEnd(seen);
    return end === undefined || daysUntil(end, now) >= warnBeforeDays
        ? []
        : [
              `certificates end in ${daysUntil(end, now)} days, some of them up to ${youngerByDays} days earlier, ` +
                  "and service with them: run an update (make up)",
          ];
}
