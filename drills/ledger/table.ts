import { Session, type Entry } from "../../commands/status/session";

/** No primary key: a write that arrived twice must show as two rows, not as an error. */
const definition = `do $$ begin
    perform pg_advisory_xact_lock(hashtext('drills.writes'));
    create schema if not exists drills;
    create table if not exists drills.writes (round text not null, id bigint not null, client int not null,
        written timestamptz not null default clock_timestamp());
    create index if not exists writes_round on drills.writes (round);
    create table if not exists drills.samples (instance text not null, sampled timestamptz not null);
end $$`;

export const insertWrite = "insert into drills.writes (round, id, client) values ($1, $2, $3)";

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

export async function prepareTables(entries: Entry[]): Promise<void> {
    const session = await anySession(entries);
    await session.query(definition);
    session.close();
}

/** What a round left behind: each id and how often it is there, read from the primary. */
export async function findWrites(entries: Entry[], round: string): Promise<Map<number, number>> {
    const session = await anySession(entries);
    const text = "select id, count(*) as times from drills.writes where round = $1 group by id";
    const { rows } = await session.query<{ id: string; times: string }>(text, [round]);
    session.close();
    return new Map(rows.map(({ id, times }) => [Number(id), Number(times)]));
}

/** Rounds are looked at once; what they wrote goes, so that a long drill does not grow without bound. */
export async function forgetRound(entries: Entry[], round: string): Promise<void> {
    const session = await anySession(entries);
    await session.query("delete from drills.writes where round = $1", [round]);
    await session.query("truncate drills.samples");
    session.close();
}
