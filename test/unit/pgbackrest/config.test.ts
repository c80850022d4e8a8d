import assert from "node:assert/strict";
import { renderPgBackRestConfig, type PgBackRestConfigInput } from "../../../components/pgbackrest/config";

const base: PgBackRestConfigInput = {
    stanza: "orders",
    repository: {
        host: "s3.example.com",
        port: 9000,
        bucket: "backups",
        region: "eu-central-1",
        uriStyle: "path",
        path: "/dev/orders",
        caCertificate: "PEM",
        credentials: { type: "key", accessKeyId: "key-1", secretAccessKey: "secret-1" },
    },
    caFile: "/etc/pgbackrest/ca.crt",
    passphrase: "passphrase-1",
    processes: 3,
    retention: { full: 2, differential: 7 },
    role: { kind: "local" },
};
const instance = { port: 8432, data: "/data/pgdata", socket: "/run/postgresql" };

/** Settings by section. */
function sections(input: PgBackRestConfigInput): Record<string, Record<string, string>> {
    const parts = renderPgBackRestConfig(input, instance).split(/^\[(.*)\]$/m);
    return Object.fromEntries(
        parts.flatMap((name, index) => {
            const lines = (parts[index + 1] ?? "").trim().split("\n").filter(Boolean);
            return index % 2 === 1 ? [[name, Object.fromEntries(lines.map((line) => line.split(/=(.*)/s)))]] : [];
        }),
    );
}

describe("pgbackrest.conf", () => {
    it("encrypts the repository, bundles small files and stores changed blocks only", () => {
        const global = sections(base)["global"] ?? {};
        assert.equal(global["repo1-cipher-type"], "aes-256-cbc");
        assert.equal(global["repo1-cipher-pass"], "passphrase-1");
        assert.equal(global["repo1-bundle"], "y");
        assert.equal(global["repo1-block"], "y");
        assert.equal(global["compress-type"], "zst");
    });

    it("keeps what the policy says", () => {
        const global = sections(base)["global"] ?? {};
        assert.deepEqual([global["repo1-retention-full"], global["repo1-retention-diff"]], ["2", "7"]);
    });

    it("pushes WAL asynchronously with a spool on the data volume, and never drops any", () => {
        assert.deepEqual(sections(base)["global:archive-push"], {
            "archive-async": "y",
            "archive-timeout": "10",
        });
        assert.equal(sections(base)["global"]?.["spool-path"], "/data/spool");
        assert.ok(!renderPgBackRestConfig(base, instance).includes("queue-max"));
    });

    it("fetches WAL synchronously: fetching ahead stalls after a timeline switch", () => {
        assert.deepEqual(sections(base)["global:archive-get"], { "archive-async": "n" });
    });

    it("of an instance names it without a host, and lets the runner in and nobody else", () => {
        const { global = {}, orders } = sections(base);
        assert.deepEqual(orders, {
            "pg1-path": "/data/pgdata",
            "pg1-socket-path": "/run/postgresql",
            "pg1-user": "postgres",
        });
        assert.equal(global["tls-server-auth"], "backup-runner=orders");
        assert.equal(global["tls-server-port"], "8432");
    });

    it("of the runner reaches every instance over TLS and serves nobody", () => {
        const { global = {}, orders = {} } = sections({
            ...base,
            role: { kind: "runner", instances: ["orders-0", "orders-1"] },
        });
        assert.equal(orders["pg1-host"], "orders-0");
        assert.equal(orders["pg2-host"], "orders-1");
        assert.equal(orders["pg2-host-type"], "tls");
        assert.equal(orders["pg2-path"], "/data/pgdata");
        assert.ok(!Object.keys(global).some((key) => key.startsWith("tls-server")));
        assert.equal(global["backup-standby"], "prefer");
    });

    it("takes no keys where a role is used, and no authority where the system's are trusted", () => {
        const repository = { ...base.repository, credentials: { type: "role" as const }, caCertificate: undefined };
        const global = sections({ ...base, repository })["global"] ?? {};
        assert.equal(global["repo1-s3-key-type"], "auto");
        assert.ok(!("repo1-s3-key" in global) && !("repo1-s3-key-secret" in global));
        assert.ok(!("repo1-storage-ca-file" in global));
    });
});
