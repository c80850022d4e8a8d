/**
 * A small application on the stack: writes, reads from a replica, and rides through a failover.
 *
 *     npx tsx examples/app.ts            while it runs, kill the primary's machine and watch
 *
 * It takes two of the stack's outputs and its authority from the environment (CONNECTION_STRING,
 * READ_ONLY_CONNECTION_STRING, CA_CERTIFICATE), else from `pulumi stack output`; eval "$(make -s env)" makes that work.
 * Two habits are all it needs: try the next address when a connection is lost, and make every write safe to repeat.
 * ORDERS sets how many orders it writes (default 100).
 */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

const stackOutputs = (): Record<string, string> => {
    const text = execFileSync("pulumi", ["stack", "output", "--json", "--show-secrets"], { encoding: "utf8" });
    return JSON.parse(text) as Record<string, string>;
};
const { CONNECTION_STRING, READ_ONLY_CONNECTION_STRING, CA_CERTIFICATE } = process.env;
const outputs = CONNECTION_STRING === undefined ? stackOutputs() : {};
const readWrite = CONNECTION_STRING ?? outputs["connectionString"] ?? "";
const readOnly = READ_ONLY_CONNECTION_STRING ?? outputs["readOnlyConnectionString"] ?? "";
const ca = CA_CERTIFICATE ?? outputs["caCertificate"];

/** Every address of a connection string as one of its own: `pg` takes a single host. */
function addresses(connectionString: string): string[] {
    const { hosts = "" } = /@(?<hosts>[^/]+)\//.exec(connectionString)?.groups ?? {};
    return hosts.split(",").map((host) => connectionString.replace(hosts, host).replace(/\?.*/, ""));
}

/** Of all attempts so far: whoever worked last is asked first. */
let attempts = 0;

/** Runs `work` on the first address that takes it, again and again while a failover lasts. */
async function withRetry<Result>(connectionString: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    const begin = Date.now();
    for (let attempt = 0; ; attempt += 1) {
        const all = addresses(connectionString);
        const address = all[attempts % all.length];
        const limits = { connectionTimeoutMillis: 2000, query_timeout: 5000, keepAlive: true };
        const client = new Client({ connectionString: address, ssl: { ca }, ...limits });
        client.on("error", () => undefined);
        try {
            await client.connect();
            const result = await work(client);
            if (attempt > 0) console.log(`  went on after ${((Date.now() - begin) / 1000).toFixed(1)} s`);
            return result;
        } catch (error) {
            if (Date.now() - begin > 60_000) throw error;
            attempts += 1;
            if (attempt === 0) console.log(`  interrupted: ${(error as Error).message}; trying again`);
            await sleep(200);
        } finally {
            client.end().catch(() => undefined);
        }
    }
}

async function main(): Promise<void> {
    await withRetry(readWrite, (client) =>
        client.query("create table if not exists orders (id uuid primary key, total int)"),
    );
    const count = Number(process.env["ORDERS"] ?? 100);
    for (let order = 1; order <= count; order += 1) {
        // Chosen before the first attempt: repeated after an unknown end, the same order is there once. It is written again,
        // as a statement that changes nothing waits for no standby: the first attempt may not have come to one.
        const id = randomUUID();
        const insert = "insert into orders values ($1, $2) on conflict (id) do update set total = excluded.total";
        await withRetry(readWrite, (client) => client.query(insert, [id, order]));
        const select =
            "select count(*)::int as orders, pg_is_in_recovery() as replica, inet_server_addr() as server from orders";
        const { rows } = await withRetry(readOnly, (client) => client.query<Record<string, unknown>>(select));
        const { orders, replica, server } = rows[0] ?? {};
        const reader = replica === true ? "a replica" : "the primary";
        console.log(`order ${order} written; ${reader} (${String(server)}) counts ${String(orders)}`);
        await sleep(200);
    }
}

void main();
