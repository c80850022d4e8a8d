import { Session, type Entry } from "../../commands/status/session";

/**
 * No primary key where rows are counted: a write that arrived twice must show as two rows, not as an error.
 * Vacuum keeps up with the few rows that every client updates.
 */
const definition = `do $$ begin
    perform pg_advisory_xact_lock(hashtext('drills.writes'));
    create schema if not exists drills;
    create table if not exists drills.writes (round text not null, id bigint not null, client int not null,
        written timestamptz not null default clock_timestamp());
    create index if not exists writes_round on drills.writes (round);
    create table if not exists drills.transfers (round text not null, id bigint not null, source int not null,
        target int not null, amount bigint not null);
    create index if not exists transfers_round on drills.transfers (round);
    create table if not exists drills.accounts (round text not null, account int not null, balance bigint not null,
        primary key (round, account)) with (fillfactor = 50);
    create table if not exists drills.counters (round text not null, client int not null, value bigint not null,
        primary key (round, client)) with (fillfactor = 50);
    create table if not exists drills.lists (round text not null, key int not null, items bigint[] not null,
        primary key (round, key)) with (fillfactor = 50);
    create table if not exists drills.samples (instance text not null, sampled timestamptz not null);
end $$`;

/** Those with the rows of a round. */
export const roundTables = ["writes", "transfers", "accounts", "counters", "lists"];

export const accounts = 40;
export const openingBalance = 1000;

/** The timeline is part of the answer: it tells a rightful new primary from a second one. */
export const insertSample = `insert into drills.samples (instance, sampled) values ($1, clock_timestamp())
    returning ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline`;

/** A session through the first entry that gives one, asked in turn until `timeoutSeconds` have passed. */
export async function anySession(entries: Entry[], timeoutSeconds = 60): Promise<Session> {
    const end = Date.now() + timeoutSeconds * 1000;
    const options = { connectTimeoutMs: 3000, statementTimeoutMs: 60_000, applicationName: "drills" };
    for (;;) {
        for (const entry of entries) {
            try {
                return await Session.open(entry, options);
            } catch (error) {
                if (Date.now() > end) {
                    throw new Error(`no entry gives a session within ${timeoutSeconds} s`, { cause: error });
                }
            }
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

/** Makes the tables, and what the round's clients begin with. */
export async function prepareRound(entries: Entry[], round: string, clients: number): Promise<void> {
    const session = await anySession(entries);
    await session.query(definition);
    await session.query("insert into drills.accounts select $1, account, $3 from generate_series(1, $2) as account", [
        round,
        accounts,
        openingBalance,
    ]);
    await session.query("insert into drills.counters select $1, client, 0 from generate_series(0, $2 - 1) as client", [
        round,
        clients,
    ]);
    session.close();
}

/** What a round left behind, read from the primary. */
export interface Found {
    /** Each row's id and how often it is there. */
    writes: Map<number, number>;
    transfers: Map<number, number>;
    balances: Map<number, number>;
    counters: Map<number, number>;
    lists: Map<number, number[]>;
}

export async function findRound(entries: Entry[], round: string): Promise<Found> {
    const session = await anySession(entries);
    const numbers = async (text: string): Promise<Map<number, number>> => {
        const { rows } = await session.query<{ key: string; value: string }>(text, [round]);
        return new Map(rows.map(({ key, value }) => [Number(key), Number(value)]));
    };
    const counted = (table: string) =>
        numbers(`select id as key, count(*) as value from drills.${table} where round = $1 group by id`);
    const found = {
        writes: await counted("writes"),
        transfers: await counted("transfers"),
        balances: await numbers("select account as key, balance as value from drills.accounts where round = $1"),
        counters: await numbers("select client as key, value from drills.counters where round = $1"),
        lists: await readLists(session, round),
    };
    session.close();
    return found;
}

async function readLists(session: Session, round: string): Promise<Map<number, number[]>> {
    const { rows } = await session.query<{ key: number; items: string[] }>(
        "select key, items from drills.lists where round = $1",
        [round],
    );
    return new Map(rows.map(({ key, items }) => [key, items.map(Number)]));
}

/** Rounds are looked at once; what they wrote goes, so that a long drill does not grow without bound. */
export async function forgetRound(entries: Entry[], round: string): Promise<void> {
    const session = await anySession(entries);
    for (const table of roundTables) {
        await session.query(`delete from drills.${table} where round = $1`, [round]);
    }
    await session.query("truncate drills.samples");
    session.close();
}
