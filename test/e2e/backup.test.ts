import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { makeAuthority, makeLeaf } from "../../components/certificates/x509";
import { asSuperuser, inContainer } from "../../drills/backup/pods";
import { Runner } from "../../drills/backup/runner";
import { Store } from "../../drills/backup/store";
import { checkout } from "../../offline/checkout";
import { measured, useCluster } from "./support";

describe("backups", () => {
    const cluster = useCluster();
    const runner = () => new Runner(cluster());

    it("begin by themselves: WAL is archived without a gap and a full backup is there", async function () {
        this.timeout(400_000);
        const status = await runner().until("a full backup", 300, ({ backups }) => backups.length > 0);
        assert.equal(status.backups[0]?.type, "full");
        const checked = await runner().check();
        assert.deepEqual(checked.archive?.gaps, []);
        assert.equal(checked.problem, null);
    });

    it("archive what is written at the latest a minute later", async function () {
        this.timeout(180_000);
        // Right after a switch: the longest way to the next one.
        await asSuperuser(cluster(), "select pg_switch_wal();");
        const before = (await runner().status()).archive?.newest ?? "";
        await asSuperuser(
            cluster(),
            "create table if not exists backup_probe (at timestamptz); insert into backup_probe values (now());",
        );
        const segment = await asSuperuser(cluster(), "select pg_walfile_name(pg_current_wal_insert_lsn());");
        const begin = Date.now();
        assert.ok(before < segment);
        await runner().until(`segment ${segment}`, 120, ({ archive }) => (archive?.newest ?? "") >= segment);
        const seconds = (Date.now() - begin) / 1000;
        measured("from a write to its segment in the repository", seconds);
        // archive_timeout, the push, and two looks of the runner.
        assert.ok(seconds <= 95, `${seconds} s`);
    });

    it("are made on demand, with their progress, by make backup", function () {
        this.timeout(300_000);
        const done = spawnSync(process.execPath, ["--import", "tsx", join(checkout, "commands/backup.ts")], {
            cwd: checkout,
            encoding: "utf8",
            env: { ...process.env, ...cluster().workspace.environment, TYPE: "differential" },
        });
        assert.equal(done.status, 0, done.stdout + done.stderr);
        assert.match(done.stdout + done.stderr, /backup diff: done in/);
    });

    it("are restored for a test, page by page, up to the newest archived segment", async function () {
        this.timeout(600_000);
        const { restoreTest, lastJob } = await runner().run("/restore-test");
        assert.equal(lastJob?.ok, true, lastJob?.message);
        assert.ok(restoreTest?.passedAt);
        const age = Date.now() - Date.parse(restoreTest.recoverableUntil ?? "");
        measured("age of the canary row in the restored copy", age / 1000);
        assert.ok(age < 240_000, `the restored copy ends ${age / 1000} s ago`);
    });

    it("show in make status: archived, backed up, restore-tested", () => {
        const { stdout } = spawnSync(process.execPath, ["--import", "tsx", join(checkout, "commands/status.ts")], {
            cwd: checkout,
            encoding: "utf8",
            env: { ...process.env, ...cluster().workspace.environment },
        });
        assert.match(stdout, /^archived {3}yes {2}.* ago, no gap$/m);
        assert.match(stdout, /^backed up {2}yes {2}.* ago/m);
        assert.match(stdout, /^restore-tested {2}yes {2}.*proven up to 2/m);
    });

    it("notice a segment that is missing in the repository", async function () {
        this.timeout(180_000);
        const store = new Store(cluster());
        await asSuperuser(cluster(), "select pg_switch_wal();");
        const { backups, archive } = await runner().status();
        assert.ok(archive?.newest && backups.length > 0);
        const path = await store.segment(archive.newest);
        await store.run(`mv ${path} /root/`);
        try {
            const { archive: seen } = await runner().check();
            assert.ok(
                seen?.gaps.some(({ from, to }) => from <= (archive.newest ?? "") && to >= (archive.newest ?? "")),
                JSON.stringify(seen),
            );
        } finally {
            await store.run(`mv /root/${path.split("/").pop()} ${path}`);
        }
        assert.deepEqual((await runner().check()).archive?.gaps, []);
    });

    const bootstrap = (change: string) => `
        set -e; mkdir -p /tmp/try; sed '${change}' /etc/pgbackrest/pgbackrest.conf > /tmp/try/pgbackrest.conf
        export BACKUP_CONFIGURATION=/tmp/try/pgbackrest.conf PGDATA_PATH=/tmp/try/pgdata BOOTSTRAP_PATIENCE=0
        export BOOTSTRAP_REPORT=/tmp/try/report.json PATRONI_SUPERUSER_PASSWORD=none
        cd /usr/local/lib/postgres-ha; python3 -m backup.bootstrap > /dev/null 2>&1 && echo initialised
        cat $BOOTSTRAP_REPORT; ls /tmp/try; rm -r /tmp/try`;
    const wrong: Record<string, [string, RegExp]> = {
        "with another passphrase": ["s/^repo1-cipher-pass=.*/repo1-cipher-pass=wrong/", /another passphrase/],
        "with another bucket": ["s/^repo1-s3-bucket=.*/repo1-s3-bucket=missing/", /bucket does not exist/],
        "with another key": ["s/^repo1-s3-key-secret=.*/repo1-s3-key-secret=wrong/", /refuses the credentials/],
        "with another authority": ["/^repo1-storage-ca-file/d", /certificate is not accepted/],
        "on another port": ["s/^repo1-storage-port=.*/repo1-storage-port=9/", /cannot be reached/],
    };
    async function refused(message: RegExp, change: string, prepare = ""): Promise<void> {
        const script = prepare + bootstrap(change).replace("set -e; ", "");
        const text = await inContainer(cluster(), "deploy/postgres-backup", "runner", script);
        assert.match(text, message);
        assert.match(text, /nothing was initialised/);
        assert.ok(!/^initialised$/m.test(text) && !/^pgdata$/m.test(text), text);
    }
    for (const [what, [change, message]] of Object.entries(wrong)) {
        it(`refuse a bootstrap ${what}, in one line, and initialise nothing`, async function () {
            this.timeout(120_000);
            await refused(message, change);
        });
    }

    it("refuse a bootstrap from a store whose certificate has expired, in one line, and initialise nothing", async function () {
        this.timeout(120_000);
        const authority = await makeAuthority({ commonName: "object store CA" }, 1);
        const leaf = await makeLeaf(authority, {
            commonName: "store",
            dnsNames: [],
            ipAddresses: ["127.0.0.1"],
            usages: ["server"],
            validityDays: -0.01,
        });
        const store = `
            mkdir -p /tmp/try
            printf '%s' '${authority.certificate}' > /tmp/try/authority.pem
            printf '%s' '${leaf.certificate}${leaf.privateKey}' > /tmp/try/store.pem
            timeout 60 python3 -c '
import http.server, ssl
server = http.server.HTTPServer(("127.0.0.1", 9443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/try/store.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()' 2> /dev/null &
            trap "kill $!" EXIT
            for _ in $(seq 200); do (: < /dev/tcp/127.0.0.1/9443) 2> /dev/null && break; sleep 0.1; done`;
        const change = [
            "s/^repo1-s3-endpoint=.*/repo1-s3-endpoint=127.0.0.1/",
            "s/^repo1-storage-port=.*/repo1-storage-port=9443/",
            "s|^repo1-storage-ca-file=.*|repo1-storage-ca-file=/tmp/try/authority.pem|",
        ];
        await refused(/certificate has expired: renew it on the store/, change.join("; "), store);
    });
});
