import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, type Entry, type Session } from "../../commands/status/session";
import { now } from "./operation";
import { accounts, openingBalance } from "./table";
import { readList } from "./work";
import { openSession } from "./writer";

/** What one reader saw in one transaction, hence in one state of the database. */
export interface Reading {
    /** Where it was read, as `host:port`. */
    entry: string;
    from: "primary" | "replica";
    begin: number;
    end: number;
    total: number;
    counters: Map<number, number>;
    lists: Map<number, number[]>;
}

export interface ReaderOptions {
    entries: Entry[];
    from: Reading["from"];
    reader: number;
    round: string;
    pauseMs: number;
    /** A new session for every reading, as of a client without a pool: it sees what an entry leads to at that moment. */
    fresh?: boolean;
    /** The lists in use now. */
    openLists: () => number[];
    record: (reading: Reading) => void;
    /** Called when a read-write entry leads to a standby. */
    misled: () => void;
    isStopped: () => boolean;
}

const retryMs = 200;

export const nameOf = (entry: Entry | undefined): string => `${entry?.host}:${entry?.port}`;

/** Reads money, counters and a few lists again and again. */
export async function runReader(options: ReaderOptions): Promise<void> {
    const { entries, reader, isStopped } = options;
    let turn = reader;
    let session: Session | undefined;
    while (!isStopped()) {
        const entry = entries[turn % entries.length];
        if (session === undefined || session.isBroken) {
            session = await openSession(entry, "drills reader");
        }
        const reading =
            session &&
            (await read(session, nameOf(entry), options).catch((error: unknown) => {
                if (isOfStandby(error)) options.misled();
                return undefined;
            }));
        if (reading === undefined) {
            session?.destroy();
            session = undefined;
            turn += 1;
            await sleep(retryMs);
            continue;
        }
        options.record(reading);
        if (options.fresh === true) {
            session?.close();
            session = undefined;
        }
        await sleep(options.pauseMs);
    }
    session?.close();
}

/** A standby knows no serializable transactions; that is no reading, as drivers with `target_session_attrs` do not stay there. */
const isOfStandby = (error: unknown): boolean =>
    isRefusal(error) && (error as { code: string }).code === "0A000" && /standby/.test((error as Error).message);

async function read(session: Session, entry: string, { round, from, openLists }: ReaderOptions): Promise<Reading> {
    const begin = now();
    await session.query(`begin isolation level ${from === "primary" ? "serializable" : "repeatable read"} read only`);
    const { rows } = await session.query<{ client: number; value: string; total: string }>(
        `select client, value, (select sum(balance) from drills.accounts where round = $1) as total
        from drills.counters where round = $1`,
        [round],
    );
    const lists = new Map<number, number[]>();
    for (const key of openLists()) {
        const answer = await session.query<{ items: string[] }>(readList, [round, key]);
        lists.set(key, answer.rows[0]?.items.map(Number) ?? []);
    }
    await session.query("commit");
    const counters = new Map(rows.map(({ client, value }) => [client, Number(value)]));
    // A replica may be behind the round's beginning: then it has no counters yet either.
    const isBefore = from === "replica" && rows.length === 0;
    const total = isBefore ? accounts * openingBalance : Number(rows[0]?.total ?? 0);
    return { entry, from, begin, end: now(), total, counters, lists };
}
