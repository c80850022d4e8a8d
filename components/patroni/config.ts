import { stringify } from "yaml";
import { versions } from "../versions";
import { patroniPrefix, patroniScope, ports } from "../naming";
import type { DynamicConfig } from "./dynamic-config";

export interface PatroniConfigInput {
    cluster: string;
    etcdHosts: string[];
    dynamic: DynamicConfig;
    /** Stanza of the WAL archive; undefined: nothing is archived. */
    stanza?: string;
}

/** How a new database is made; the bootstrap of a stack with backups uses the same. */
export const initdb = [{ encoding: "UTF8" }, { "locale-provider": "builtin" }, { locale: "C.UTF-8" }, "data-checksums"];

/** Where the pod's Secrets and volumes are mounted; the image's scripts use the same. */
export const paths = {
    /** Where the volume is mounted. */
    volume: "/data",
    data: "/data/pgdata",
    tls: "/tls",
    etcdTls: "/tls-etcd",
    socket: "/run/postgresql",
} as const;

/** In an instance, as the superuser: statements from its standard input, values to its output, an end at the first error. */
export const superuserPsql = `psql --no-psqlrc -qAt -v ON_ERROR_STOP=1 -h ${paths.socket} -U postgres -d postgres`;

/** For a shell in an instance: prints the last restore that its volume has seen (image/backup/set_aside.py), 0 for none. */
export const printRestoreGeneration = "cat /data/restore-generation 2>/dev/null || echo 0";

/**
 * patroni.yml without names, addresses and passwords, which come from the pod's environment. No secret may be in
 * it: it lives in a ConfigMap.
 */
export function renderPatroniConfig({ cluster, etcdHosts, dynamic, stanza }: PatroniConfigInput): string {
    const own = { certfile: `${paths.tls}/tls.crt`, keyfile: `${paths.tls}/tls.key` };
    return stringify({
        scope: patroniScope(cluster),
        namespace: patroniPrefix,
        restapi: {
            listen: `0.0.0.0:${ports.patroni}`,
            ...own,
            cafile: `${paths.tls}/patroni-ca.crt`,
            // Checks (HAProxy, kubelet) read without a certificate; whatever changes something needs one.
            verify_client: "optional",
            // The default of 5 is too short for several proxies that poll every second.
            request_queue_size: 64,
        },
        ctl: { ...own, cacert: `${paths.tls}/patroni-ca.crt` },
        etcd3: {
            hosts: etcdHosts,
            protocol: "https",
            cacert: `${paths.etcdTls}/ca.crt`,
            cert: `${paths.etcdTls}/tls.crt`,
            key: `${paths.etcdTls}/tls.key`,
        },
        bootstrap: {
            dcs: dynamic,
            ...(stanza === undefined ? {} : repositoryBootstrap),
            initdb,
            post_bootstrap: "/usr/local/bin/post-bootstrap",
        },
        postgresql: {
            listen: `0.0.0.0:${ports.postgresql}`,
            data_dir: paths.data,
            bin_dir: `/usr/lib/postgresql/${versions.postgresql}/bin`,
            pgpass: "/tmp/pgpass",
            use_unix_socket: true,
            use_unix_socket_repl: true,
            authentication: {
                superuser: { username: "postgres", sslmode: "verify-ca", sslrootcert: `${paths.tls}/ca.crt` },
                replication: { username: "replicator", sslmode: "verify-ca", sslrootcert: `${paths.tls}/ca.crt` },
                rewind: { username: "rewind", sslmode: "verify-ca", sslrootcert: `${paths.tls}/ca.crt` },
            },
            parameters: {
                unix_socket_directories: paths.socket,
                ssl: "on",
                ssl_cert_file: `${paths.tls}/postgresql.crt`,
                ssl_key_file: `${paths.tls}/postgresql.key`,
                ssl_min_protocol_version: "TLSv1.2",
                ...(stanza === undefined ? {} : archiving(stanza)),
            },
            ...(stanza === undefined ? {} : replicas),
            pg_hba: [
                "local all postgres peer",
                "local replication postgres peer",
                "local replication replicator scram-sha-256",
                // The superuser never comes over the network; administration goes through the pod.
                "hostssl all postgres 0.0.0.0/0 reject",
                "hostssl replication replicator 0.0.0.0/0 scram-sha-256",
                "hostssl all all 0.0.0.0/0 scram-sha-256",
            ],
            basebackup: [{ checkpoint: "fast" }],
        },
    });
}

/** The repository decides between a restore and a new database; a failure changes nothing and is tried again. */
const repositoryBootstrap = {
    method: "pgbackrest",
    pgbackrest: {
        command: "/usr/local/bin/bootstrap-cluster",
        // pgBackRest has written what recovery needs; Patroni removes it when recovery has ended.
        keep_existing_recovery_conf: true,
        no_params: true,
    },
};

/** Local, not dynamic: archive_mode needs a restart, which the new template brings anyway. */
const archiving = (stanza: string) => ({
    // Standbys too keep what the primary has not archived (put-wal).
    archive_mode: "always",
    archive_command: `/usr/local/bin/put-wal pgbackrest --stanza=${stanza} archive-push %p`,
    // Bounds what the loss of everything costs.
    archive_timeout: "60s",
});

const replicas = {
    // A method that needs no leader could bring back older data under a name that is still trusted: never `no_leader`.
    create_replica_methods: ["pgbackrest", "basebackup"],
    pgbackrest: { command: "/usr/local/bin/clone-replica", keep_data: true, no_params: true },
    recovery_conf: { restore_command: "/usr/local/bin/get-wal %f %p" },
    // For get-wal; a promotion must not fail for want of it.
    pre_promote: `bash -c ": > ${paths.socket}/promoting || true"`,
};
