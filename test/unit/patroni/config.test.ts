import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { instanceSetting } from "../../../components/naming";
import { renderPatroniConfig } from "../../../components/patroni/config";
import { dynamicConfig } from "../../../components/patroni/dynamic-config";
import { deriveTimers } from "../../../components/recovery";
import { versions } from "../../../components/versions";

const timers = deriveTimers({ rto: 30, rpo: 0 });
const dynamic = dynamicConfig({
    timers,
    synchronousStandbyCount: 1,
    maxConnections: 200,
    sharedBuffers: "256MB",
    parameters: { work_mem: "8MB", wal_compression: "lz4" },
});

const etcdHosts = ["10.43.0.32:2379", "10.43.0.33:2379", "10.43.0.34:2379"];
const text = renderPatroniConfig({ cluster: "postgres", etcdHosts, dynamic });
interface Config {
    restapi: Record<string, unknown>;
    ctl: Record<string, unknown>;
    etcd3: Record<string, unknown>;
    bootstrap: { dcs: unknown; initdb: unknown; post_bootstrap: string };
    postgresql: Record<string, unknown> & {
        pg_hba: string[];
        authentication: Record<string, Record<string, string>>;
        parameters: Record<string, string>;
    };
}
const config = parse(text) as Config & Record<string, unknown>;

describe("Patroni's dynamic configuration", () => {
    it("replicates strictly and synchronously: no acknowledged row may be lost", () => {
        assert.equal(dynamic["synchronous_mode"], "on");
        assert.equal(dynamic["synchronous_mode_strict"], true);
        assert.equal(dynamic["synchronous_node_count"], 1);
        assert.equal(dynamic["failsafe_mode"], true);
        assert.equal(dynamic["check_timeline"], true);
        assert.equal(dynamic["maximum_lag_on_failover"], 2 ** 40);
    });

    it("carries the derived timers unchanged, in Patroni's names", () => {
        const { ttl, loop_wait, retry_timeout, primary_start_timeout, primary_stop_timeout } = dynamic;
        assert.deepEqual(
            { ttl, loop_wait, retry_timeout, primary_start_timeout, primary_stop_timeout },
            { ttl: 22, loop_wait: 1, retry_timeout: 10, primary_start_timeout: 0, primary_stop_timeout: 10 },
        );
    });

    it("lays the user's parameters over the defaults", () => {
        const { parameters } = dynamic["postgresql"] as { parameters: Record<string, unknown> };
        assert.equal(parameters["work_mem"], "8MB");
        assert.equal(parameters["wal_compression"], "lz4");
        assert.equal(parameters["shared_buffers"], "256MB");
        assert.equal(parameters["max_connections"], 200);
        assert.equal(parameters["wal_sender_timeout"], "5s");
        assert.equal(parameters["wal_receiver_timeout"], "5s");
        assert.equal(parameters["password_encryption"], "scram-sha-256");
    });

    it("sets nothing that weakens durability", () => {
        const { parameters } = dynamic["postgresql"] as { parameters: Record<string, unknown> };
        for (const name of ["fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names"]) {
            assert.ok(!(name in parameters), name);
        }
    });
});

describe("patroni.yml", () => {
    it("carries the dynamic configuration in its bootstrap section", () => {
        assert.deepEqual(config.bootstrap.dcs, dynamic);
        assert.equal(config.bootstrap.post_bootstrap, "/usr/local/bin/post-bootstrap");
        assert.deepEqual(config.bootstrap.initdb, [
            { encoding: "UTF8" },
            { "locale-provider": "builtin" },
            { locale: "C.UTF-8" },
            "data-checksums",
        ]);
    });

    it("reaches every etcd member by address over mTLS", () => {
        assert.deepEqual(config.etcd3, {
            hosts: etcdHosts,
            protocol: "https",
            cacert: "/tls-etcd/ca.crt",
            cert: "/tls-etcd/tls.crt",
            key: "/tls-etcd/tls.key",
        });
        assert.equal(config["scope"], "postgres");
        assert.equal(config["namespace"], "/service/");
    });

    it("serves its REST API over TLS and lets nobody change anything without a certificate", () => {
        assert.deepEqual(config.restapi, {
            listen: "0.0.0.0:8008",
            certfile: "/tls/tls.crt",
            keyfile: "/tls/tls.key",
            cafile: "/tls/patroni-ca.crt",
            verify_client: "optional",
            request_queue_size: 64,
        });
        assert.deepEqual(config.ctl, {
            certfile: "/tls/tls.crt",
            keyfile: "/tls/tls.key",
            cacert: "/tls/patroni-ca.crt",
        });
    });

    it("lets clients in only encrypted and with scram, the superuser never over the network, and nobody by trust", () => {
        const { pg_hba: rules } = config.postgresql;
        assert.deepEqual(rules, [
            "local all postgres peer",
            "local replication postgres peer",
            "local replication replicator scram-sha-256",
            "hostssl all postgres 0.0.0.0/0 reject",
            "hostssl replication replicator 0.0.0.0/0 scram-sha-256",
            "hostssl all all 0.0.0.0/0 scram-sha-256",
        ]);
        const superuser = rules.findIndex((rule) => rule.includes("postgres 0.0.0.0/0 reject"));
        assert.ok(superuser < rules.findIndex((rule) => rule.startsWith("hostssl all all")), "the first match decides");
    });

    it("serves TLS 1.2 or newer with the certificate made for clients", () => {
        const { parameters } = config.postgresql;
        assert.equal(parameters["ssl"], "on");
        assert.equal(parameters["ssl_cert_file"], "/tls/postgresql.crt");
        assert.equal(parameters["ssl_key_file"], "/tls/postgresql.key");
        assert.equal(parameters["ssl_min_protocol_version"], "TLSv1.2");
    });

    it("verifies the other instances when it connects to them", () => {
        const users = Object.entries(config.postgresql.authentication);
        assert.deepEqual(
            users.map(([role, { username, sslmode }]) => [role, username, sslmode]),
            [
                ["superuser", "postgres", "verify-ca"],
                ["replication", "replicator", "verify-ca"],
                ["rewind", "rewind", "verify-ca"],
            ],
        );
    });

    it("holds no password and no private key: it lives in a ConfigMap", () => {
        assert.doesNotMatch(text, /password:|PRIVATE KEY/);
        assert.ok(!("name" in config), "the name comes from the pod");
    });

    it("uses the programs of the PostgreSQL version that the image installs", () => {
        assert.equal(config.postgresql["bin_dir"], `/usr/lib/postgresql/${versions.postgresql}/bin`);
    });
});

describe("patroni.yml of a stack with backups", () => {
    const without = config;
    const withBackups = parse(
        renderPatroniConfig({ cluster: "postgres", etcdHosts, dynamic, stanza: "orders" }),
    ) as typeof config & { bootstrap: Record<string, unknown> };

    it("lets the repository decide between a restore and a new database", () => {
        assert.equal(withBackups.bootstrap["method"], "pgbackrest");
        assert.deepEqual(withBackups.bootstrap["pgbackrest"], {
            command: "/usr/local/bin/bootstrap-cluster",
            keep_existing_recovery_conf: true,
            no_params: true,
        });
    });

    it("archives every segment, at the latest after a minute", () => {
        const { archive_mode, archive_command, archive_timeout } = withBackups.postgresql.parameters;
        assert.deepEqual(
            [archive_mode, archive_command, archive_timeout],
            ["always", "/usr/local/bin/put-wal pgbackrest --stanza=orders archive-push %p", "60s"],
        );
    });

    it("makes replicas from the repository or the primary, and never without a leader", () => {
        assert.deepEqual(withBackups.postgresql["create_replica_methods"], ["pgbackrest", "basebackup"]);
        assert.ok(!JSON.stringify(withBackups).includes("no_leader"));
    });

    it("leaves a mark for get-wal before a promotion, and promotes where that fails", () => {
        assert.equal(withBackups.postgresql.pre_promote, 'bash -c ": > /run/postgresql/promoting || true"');
    });

    it("differs in nothing else from one without", () => {
        const {
            archive_mode: _a,
            archive_command: _b,
            archive_timeout: _c,
            ...parameters
        } = withBackups.postgresql.parameters;
        const {
            create_replica_methods: _d,
            pgbackrest: _e,
            recovery_conf: _f,
            pre_promote: _i,
            ...postgresql
        } = withBackups.postgresql;
        const { method: _g, pgbackrest: _h, ...bootstrap } = withBackups.bootstrap;
        assert.deepEqual({ ...withBackups, bootstrap, postgresql: { ...postgresql, parameters } }, without);
    });

    it("has each instance tell its name by the setting that drills ask for", () => {
        const script = join(__dirname, "../../../components/patroni/image/bin/start-instance");
        assert.ok(readFileSync(script, "utf8").includes(`${instanceSetting}: "%s"`));
    });
});
