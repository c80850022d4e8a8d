import { renewBeforeDays } from "../../components/certificates/renewal";
import { backupLines, unarchivedOf } from "./backup-lines";
import { printTable } from "../table";
import { certificateEnd, daysUntil, type Assessment } from "./assessment";
import type { Observation } from "./collect";

const yes = (value: boolean): string => (value ? "yes" : "no");

const bytes = (size: number | string | undefined): string => {
    if (typeof size !== "number") return size ?? "";
    return size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`;
};

/** The whole stack on one screen. */
export function printStatus(stack: string, seen: Observation, assessment: Assessment): void {
    const { serving, redundant, reasons, recoverable, backupReasons } = assessment;
    section("Machines", ["name", "address", "state", "reachable"], machineRows(seen));
    section("Kubernetes", ["node", "role", "ready", "version"], nodeRows(seen));
    section("etcd", ["member", "healthy", "leader", "learner", "database", "alarms"], etcdRows(seen));
    section(
        "PostgreSQL",
        ["instance", "role", "state", "timeline", "lag", "sync", "pending restart"],
        seen.instances.map((instance) => [
            instance.name,
            instance.role,
            instance.state,
            String(instance.timeline ?? ""),
            bytes(instance.lag),
            instance.role === "replica" ? (instance.synchronous ? "sync" : "async") : "",
            instance.pendingRestart ? "yes" : "",
        ]),
    );
    section("Entries (HAProxy)", ["machine", "read-write to", "read-only to", "write"], entryRows(seen));
    const lines = [
        `stack ${stack}`,
        `serving    ${yes(serving)}${serving ? "" : "  no read-write entry takes a write"}`,
        `redundant  ${yes(redundant)}${redundant ? "" : "  a failure now could interrupt service or need a person:"}`,
        ...reasons.map((reason) => `           - ${reason}`),
        ...(recoverable === undefined
            ? []
            : [
                  `recoverable  ${yes(recoverable)}${recoverable ? "" : "  a loss of every machine could not be undone, or not up to the last minute:"}`,
              ]),
        ...backupReasons.map((reason) => `           - ${reason}`),
        ...damageLines(seen.writes),
        ...certificateLines(seen, new Date()),
        ...backupLines(seen.backup, unarchivedOf(seen.writes)),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
}

/** Nothing else says it: the page is copied to new replicas, and whoever reads it gets an error. */
export function damageLines(writes: Observation["writes"]): string[] {
    const found = Math.max(0, ...writes.map(({ damagedPages }) => damagedPages ?? 0));
    if (found === 0) return [];
    return [`damaged pages  ${found} found on the primary; see docs/runbooks/damaged-page.md`];
}

export function certificateLines(seen: Pick<Observation, "writes" | "reads">, now: Date): string[] {
    const end = certificateEnd(seen);
    if (end === undefined) return [];
    const days = daysUntil(end, now);
    const due = days < renewBeforeDays ? "; the next update (make up) renews them" : "";
    return [`certificates  valid until ${end.toISOString().slice(0, 10)}, ${days} days${due}`];
}

function section(title: string, head: string[], rows: string[][]): void {
    process.stdout.write(`${title}\n`);
    printTable(head, rows);
    process.stdout.write("\n");
}

const machineRows = ({ machines }: Observation): string[][] =>
    machines.map(({ name, address, state, reachable }) => [name, address, state, yes(reachable)]);

const nodeRows = ({ nodes }: Observation): string[][] =>
    (nodes ?? []).map(({ name, role, ready, version }) => [name, role, yes(ready), version]);

const etcdRows = ({ etcd }: Observation): string[][] =>
    etcd.members.map((member) => [
        member.name,
        yes(member.healthy),
        member.leader ? "leader" : "",
        member.learner ? "yes" : "",
        bytes(member.databaseSize),
        member.alarms.join(" "),
    ]);

function entryRows({ proxies, machines, writes }: Observation): string[][] {
    return proxies.map(({ machine, answers, readWrite, readOnly }) => {
        const address = machines.find(({ name }) => name === machine)?.address ?? "";
        const write = writes.find(({ entry }) => entry.startsWith(`${address}:`));
        const result = write?.accepted === true ? `accepted in ${write.milliseconds} ms` : "refused";
        return [machine, answers ? readWrite.join(" ") : "no answer", readOnly.join(" "), result];
    });
}
