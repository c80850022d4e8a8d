import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Session, type Entry } from "../../commands/status/session";
import { processes, signal } from "../../drills/machine/processes";
import { openInstance } from "../../drills/ledger/instance-session";
import { useCluster } from "./support";

const options = { connectTimeoutMs: 5000, statementTimeoutMs: 10_000, applicationName: "e2e" };

async function query<Row extends Record<string, unknown>>(
    entry: Entry,
    text: string,
    values?: unknown[],
): Promise<Row[]> {
    const session = await Session.open(entry, options);
    try {
        return (await session.query<Row>(text, values)).rows;
    } finally {
        session.close();
    }
}

describe("writing and reading", () => {
    const cluster = useCluster();

    before(async () => {
        const [entry] = cluster().readWrite;
        assert.ok(entry);
        await query(entry, "create table if not exists e2e_notes (id uuid primary key)");
    });

    it("writes through every read-write entry, each leading to the one primary", async () => {
        const servers = new Set<unknown>();
        for (const entry of cluster().readWrite) {
            const text =
                "insert into e2e_notes values ($1) returning pg_is_in_recovery() as replica, inet_server_addr() as server";
            const [row] = await query(entry, text, [randomUUID()]);
            assert.equal(row?.["replica"], false);
            servers.add(row?.["server"]);
        }
        assert.equal(servers.size, 1);
    });

    it("reads what was written from a replica, through every read-only entry", async () => {
        const id = randomUUID();
        const [entry] = cluster().readWrite;
        assert.ok(entry);
        await query(entry, "insert into e2e_notes values ($1)", [id]);
        for (const reader of cluster().readOnly) {
            let rows: Record<string, unknown>[] = [];
            // Replicas follow; only the synchronous standby is certain to have the row on disk already.
            for (let attempt = 0; attempt < 20 && rows.length === 0; attempt += 1) {
                rows = await query(reader, "select pg_is_in_recovery() as replica from e2e_notes where id = $1", [id]);
                if (rows.length === 0) await sleep(100);
            }
            assert.deepEqual(rows, [{ replica: true }], `${reader.host}:${reader.port}`);
        }
    });

    it("has each instance tell its own name, whoever was thought to be asked", async () => {
        const [entry] = cluster().readWrite;
        const { instances } = cluster().state;
        const [first, second] = instances;
        assert.ok(entry && first && second);
        const access = { tunnel: cluster().tunnel, instances, entry };
        const limits = { applicationName: "e2e", statementTimeoutMs: 5000 };
        for (const instance of instances) (await openInstance(access, instance, limits)).close();
        const mistaken = { name: first.name, address: second.address };
        await assert.rejects(openInstance(access, mistaken, limits), new RegExp(`${second.name} answered`));
    });

    it("refuses a write through the read-only entry", async () => {
        const [reader] = cluster().readOnly;
        assert.ok(reader);
        await assert.rejects(query(reader, "insert into e2e_notes values ($1)", [randomUUID()]), { code: "25006" });
    });

    it("never takes a replica for the primary where a proxy has just been started", async function () {
        this.timeout(120_000);
        const { machine, ssh } = cluster().machineOf(await cluster().asynchronousReplica());
        const entry = cluster().readWrite.find(({ host }) => host === machine.access.address);
        assert.ok(entry);
        await signal(ssh, "KILL", await processes(ssh, "haproxy"));
        const answers: unknown[] = [];
        let refused = 0;
        // Until it has served for a while: servers were taken for up for as long as their first checks took.
        for (const end = Date.now() + 60_000; Date.now() < end && answers.length < 200;) {
            await query(entry, "select pg_is_in_recovery() as replica").then(
                ([row]) => answers.push(row?.["replica"]),
                async () => {
                    refused += 1;
                    await sleep(10);
                },
            );
        }
        console.log(`measured: ${answers.length} answered, ${refused} refused`);
        assert.ok(refused > 0 && answers.length === 200, "the proxy did not come back, or never went");
        assert.deepEqual(new Set(answers), new Set([false]));
    });

    it("waits for a synchronous standby with every commit", async () => {
        const [entry] = cluster().readWrite;
        assert.ok(entry);
        const [row] = await query(
            entry,
            "select current_setting('synchronous_commit') as commit, current_setting('synchronous_standby_names') as standbys",
        );
        assert.equal(row?.["commit"], "on");
        assert.match(String(row?.["standbys"]), /postgres-\d/);
    });
});
