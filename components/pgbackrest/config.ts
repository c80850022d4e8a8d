import { repositoryOptions, type KnownRepository } from "./repository-options";

/** pgbackrest.conf as text. It holds the passphrase and the store's key: its only places are Secrets. */

export interface Retention {
    full: number;
    differential: number;
}

export interface PgBackRestConfigInput {
    stanza: string;
    repository: KnownRepository;
    /** File with the authority of the store's certificate, when the repository names one. */
    caFile: string;
    /** Encrypts everything in the repository. */
    passphrase: string;
    /** How many processes compress, encrypt and transfer at once. */
    processes: number;
    retention: Retention;
    /**
     * local: beside PostgreSQL. runner: reaches the instances over TLS by these names, and is the only one that
     * expires.
     */
    role: { kind: "local" } | { kind: "runner"; instances: string[] };
}

/** Where Secrets and volumes are mounted in the instances' pods and in the runner's. */
export const backupPaths = {
    config: "/etc/pgbackrest",
    tls: "/tls-backup",
    spool: "/data/spool",
    request: "/etc/postgres-ha/restore",
    scratch: "/scratch",
} as const;

/** Port of `pgbackrest server` beside each instance, and the data directory and socket there. */
export interface InstanceAccess {
    port: number;
    data: string;
    socket: string;
}

export function renderPgBackRestConfig(input: PgBackRestConfigInput, instance: InstanceAccess): string {
    const { stanza, role } = input;
    const sections: [string, Settings][] = [
        [
            "global",
            { ...repository(input), ...general(input), ...(role.kind === "local" ? server(stanza, instance) : {}) },
        ],
        // PostgreSQL waits for the push of each segment: one process gathers them and pushes several at once. No
        // queue-max: it would drop WAL. PostgreSQL asks again by itself; what ends it or rewinds it waits for the answer.
        ["global:archive-push", { "archive-async": "y", "archive-timeout": 10 }],
        // Fetched one by one: fetching ahead reports false timeouts after a timeline switch (2.55).
        ["global:archive-get", { "archive-async": "n" }],
        ["global:restore", { "process-max": Math.max(2, input.processes) }],
        [stanza, role.kind === "local" ? localInstance(instance) : remoteInstances(role.instances, instance)],
    ];
    return sections.map(([name, settings]) => `[${name}]\n${lines(settings)}`).join("\n");
}

type Settings = Record<string, string | number | undefined>;

const lines = (settings: Settings): string =>
    Object.entries(settings)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => `${key}=${value}\n`)
        .join("");

const repository = ({ repository: known, caFile, passphrase, retention }: PgBackRestConfigInput): Settings => ({
    ...repositoryOptions(known, caFile),
    "repo1-cipher-type": "aes-256-cbc",
    "repo1-cipher-pass": passphrase,
    // Small files together, and of a changed file only the changed blocks.
    "repo1-bundle": "y",
    "repo1-block": "y",
    "repo1-retention-full": retention.full,
    "repo1-retention-diff": retention.differential,
});

const general = ({ processes }: PgBackRestConfigInput): Settings => ({
    "compress-type": "zst",
    "process-max": processes,
    // A minute of silence per attempt, the default, would hold up a replica's start for minutes.
    "io-timeout": 12,
    "archive-timeout": 60,
    // `always` is refused by default, for fear of several who archive: put-wal lets only the primary.
    "archive-mode-check": "n",
    "start-fast": "y",
    delta: "n",
    "backup-standby": "prefer",
    "lock-path": "/tmp/pgbackrest",
    // On the data volume, as the WAL itself. A restore cleans it, so it is named for every command.
    "spool-path": backupPaths.spool,
    "log-level-file": "off",
    "log-level-console": "warn",
});

const server = (stanza: string, { port }: InstanceAccess): Settings => ({
    "tls-server-address": "0.0.0.0",
    "tls-server-port": port,
    "tls-server-ca-file": `${backupPaths.tls}/ca.crt`,
    "tls-server-cert-file": `${backupPaths.tls}/tls.crt`,
    "tls-server-key-file": `${backupPaths.tls}/tls.key`,
    // The common name of the runner's certificate: nobody else may ask for data.
    "tls-server-auth": `${runnerCommonName}=${stanza}`,
});

/** Common name of the runner's certificate. */
export const runnerCommonName = "backup-runner";

const localInstance = ({ data, socket }: InstanceAccess): Settings => ({
    "pg1-path": data,
    "pg1-socket-path": socket,
    "pg1-user": "postgres",
});

const remoteInstances = (instances: string[], { port, data, socket }: InstanceAccess): Settings =>
    Object.fromEntries(
        instances.flatMap((name, index) =>
            Object.entries({
                host: name,
                "host-type": "tls",
                "host-port": port,
                "host-ca-file": `${backupPaths.tls}/ca.crt`,
                "host-cert-file": `${backupPaths.tls}/tls.crt`,
                "host-key-file": `${backupPaths.tls}/tls.key`,
                path: data,
                "socket-path": socket,
                user: "postgres",
            }).map(([key, value]) => [`pg${index + 1}-${key}`, value]),
        ),
    );
