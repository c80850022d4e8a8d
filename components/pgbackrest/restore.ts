import { createHash } from "node:crypto";
import type { Problem } from "../validation";
import type { MachinesArgs } from "../machines/machines-args";
import type { S3RepositoryArgs } from "./repository-args";
import { repositoryProblems, sourceSecretKeys } from "./repository-validation";
import type * as pulumi from "@pulumi/pulumi";

/** Where recovery stops: exactly one of these. */
export type RestoreTarget =
    /** The last commit before this moment, ISO 8601 with an offset: `2026-03-01T12:00:00+00:00`. */
    | { time: string }
    /** A place in the WAL: `0/7000028`. */
    | { lsn: string }
    /** The end of this transaction. */
    | { xid: string }
    /** A restore point made by `pg_create_restore_point`. */
    | { name: string }
    /** The end of the archive. */
    | { latest: true };

export interface RestoreSource {
    /** The other stack's repository; it is only read. Credentials that can only read are enough. */
    repository: S3RepositoryArgs & { path: string };
    /** Name of the other stack's cluster. */
    stanza: string;
    /** The other stack's output `backup.passphrase`. */
    passphrase: pulumi.Input<string>;
}

export interface RestoreArgs {
    target: RestoreTarget;
    /** Another stack's repository, to begin as a copy of its database. @default the stack's own */
    from?: RestoreSource;
    /** Counts restores, from 1. Only raising it starts one, and each is carried out once. */
    generation: number;
    /** Backup to begin with, for a `name` or `xid` that is older than the newest one. @default the newest that fits */
    backup?: string;
    /** Timeline to follow, to reach what an earlier restore left behind. @default the newest */
    timeline?: number;
    /** The token that the preview printed: everything after the target is left behind. */
    confirm?: string;
}

/** What the instances read before they start (restore_request.py). Holds no secret. */
export interface RestoreRequest {
    generation: number;
    /** Options of `pgbackrest restore`. */
    options: string[];
    source?: { stanza: string };
}

const kinds = ["time", "lsn", "xid", "name", "latest"] as const;

const targetEntry = (target: RestoreTarget): [string, unknown] => Object.entries(target)[0] ?? ["latest", true];

export const describeTarget = (target: RestoreTarget): string => {
    const [kind, value] = targetEntry(target);
    return kind === "latest" ? "the end of the archive" : `${kind} ${String(value)}`;
};

export function restoreProblems(
    restore: RestoreArgs | undefined,
    hasBackup: boolean,
    machines: MachinesArgs,
): Problem[] {
    if (!restore) {
        return [];
    }
    const problems: Problem[] = [];
    const add = (field: string, message: string) => problems.push({ path: `restore.${field}`, message });
    if (!hasBackup) {
        problems.push({ path: "restore", message: "needs `backup`: without a repository there is nothing to restore" });
    }
    if (!Number.isInteger(restore.generation) || restore.generation < 1) {
        add("generation", `${restore.generation} counts no restore; use 1 for the first, one more for the next`);
    }
    if (restore.from) {
        problems.push(
            ...repositoryProblems(restore.from.repository, machines, "restore.from.repository", sourceSecretKeys),
        );
    }
    const given = kinds.filter((kind) => kind in restore.target);
    if (given.length !== 1) {
        add("target", `has ${given.length} of ${kinds.join(", ")}; give exactly one`);
        return problems;
    }
    problems.push(...targetProblems(restore.target));
    if (restore.backup !== undefined && !/^\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?$/.test(restore.backup)) {
        add("backup", `"${restore.backup}" is no label of a backup; \`JSON=1 make status\` shows them`);
    }
    if (restore.timeline !== undefined && !(Number.isInteger(restore.timeline) && restore.timeline > 0)) {
        add("timeline", `${restore.timeline} is no timeline; leave it out for the newest`);
    }
    return problems;
}

function targetProblems(target: RestoreTarget): Problem[] {
    const add = (kind: string, message: string) => [{ path: `restore.target.${kind}`, message }];
    if ("time" in target) {
        return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)$/.test(target.time) &&
            !Number.isNaN(Date.parse(target.time))
            ? []
            : add("time", `"${target.time}" is no moment with an offset; write it as 2026-03-01T12:00:00+00:00`);
    }
    if ("lsn" in target) {
        return /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(target.lsn)
            ? []
            : add("lsn", `"${target.lsn}" is no place in the WAL; write it as 0/7000028`);
    }
    if ("xid" in target) {
        return /^\d{1,20}$/.test(target.xid) ? [] : add("xid", `"${target.xid}" is no transaction id`);
    }
    if ("name" in target) {
        return /^[\w .:-]{1,63}$/.test(target.name)
            ? []
            : add("name", `"${target.name}" is no name of a restore point: 1 to 63 letters, digits, spaces, .:-_`);
    }
    return [];
}

/** What is typed to confirm a restore: it changes with everything that decides what is left behind. */
export function confirmationToken(cluster: string, restore: RestoreArgs): string {
    const { target, generation, backup, timeline, from } = restore;
    const source = from && [from.stanza, from.repository.endpoint, from.repository.bucket, from.repository.path];
    const digest = createHash("sha256")
        .update(JSON.stringify([cluster, generation, target, backup, timeline, source]))
        .digest("hex");
    return `${cluster}-${generation}-${digest.slice(0, 6)}`;
}

export function restoreRequest(restore: RestoreArgs | undefined): RestoreRequest {
    if (!restore) {
        return { generation: 0, options: [] };
    }
    const { target, generation, backup, timeline, from } = restore;
    const [kind, value] = targetEntry(target);
    // Without a target recovery ends, and promotes, at the end of the archive.
    const options =
        kind === "latest"
            ? ["--type=default"]
            : [`--type=${kind}`, `--target=${postgresTime(kind, String(value))}`, "--target-action=promote"];
    return {
        generation,
        options: [
            ...options,
            ...(backup === undefined ? [] : [`--set=${backup}`]),
            ...(timeline === undefined ? [] : [`--target-timeline=${timeline}`]),
        ],
        ...(from ? { source: { stanza: from.stanza } } : {}),
    };
}

/** pgBackRest reads times as PostgreSQL prints them. */
const postgresTime = (kind: string, value: string): string =>
    kind === "time" ? value.replace("T", " ").replace("Z", "+00:00") : value;
