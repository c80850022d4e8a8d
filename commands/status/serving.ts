import { entriesOf, isRefusal, Session, type Entry } from "./session";
import type { StackState } from "./stack-state";

interface CertificateProbe {
    /** Until when the certificate that the server showed is valid. */
    certificateEnd?: Date;
}

export interface WriteProbe extends CertificateProbe {
    /** `address:port` of the read-write entry. */
    entry: string;
    accepted: boolean;
    milliseconds?: number;
    /** `synchronous_commit` of a session of the application's. */
    synchronousCommit?: string;
    /** WAL that the primary behind this entry could not archive at its last attempt. */
    unarchived?: string;
    /** Pages that PostgreSQL there has found damaged, by reading or copying them, since its statistics began. */
    damagedPages?: number;
    problem?: string;
}

/**
 * The probe commits for real, through every read-write entry: a rolled back write would not wait for the
 * synchronous standby, and would succeed on a cluster that can acknowledge nothing. One row per entry, overwritten.
 */
const upsert = `insert into postgres_ha.status_probe (entry, written) values ($1, clock_timestamp())
    on conflict (entry) do update set written = excluded.written`;

/** Under a lock: entries are probed side by side, and `if not exists` alone may still collide. */
const createTable = `do $$ begin
    perform pg_advisory_xact_lock(hashtext('postgres_ha.status_probe'));
    create schema if not exists postgres_ha;
    create table if not exists postgres_ha.status_probe (entry text primary key, written timestamptz not null);
end $$`;

const details = `select current_setting('synchronous_commit') as "synchronousCommit", (select last_failed_wal from
    pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')) as unarchived,
    (select sum(checksum_failures)::integer from pg_stat_database) as "damagedPages"`;

const missing = new Set(["42P01", "3F000"]);

const limits = { connectTimeoutMs: 3000, statementTimeoutMs: 3000, applicationName: "make status" };

export const probeWrites = (state: StackState): Promise<WriteProbe[]> =>
    Promise.all(entriesOf(state.outputs.connectionString, state.outputs.caCertificate).map(probeWrite));

const probeWrite = (entry: Entry): Promise<WriteProbe> =>
    probe<Omit<WriteProbe, "entry">>(
        entry,
        async (session, name, begin) => {
            await write(session, name);
            const milliseconds = Date.now() - begin;
            const { rows } = await session
                .query<{ synchronousCommit: string; unarchived: string | null; damagedPages: number | null }>(details)
                .catch(() => ({ rows: [] }));
            const unarchived = rows[0]?.unarchived ?? undefined;
            const damagedPages = rows[0]?.damagedPages ?? undefined;
            return { accepted: true, milliseconds, ...rows[0], unarchived, damagedPages };
        },
        { accepted: false },
    );

export interface ReadProbe extends CertificateProbe {
    /** `address:port` of the read-only entry. */
    entry: string;
    /** Undefined when it answers. */
    problem?: string;
}

export const probeReads = (state: StackState): Promise<ReadProbe[]> =>
    Promise.all(entriesOf(state.outputs.readOnlyConnectionString, state.outputs.caCertificate).map(probeRead));

const probeRead = (entry: Entry): Promise<ReadProbe> =>
    probe(entry, (session) => session.query("select 1").then(() => ({})), {});

/** A session through an entry and what it found, or what it failed with. */
async function probe<Found extends object>(
    entry: Entry,
    ask: (session: Session, name: string, begin: number) => Promise<Found>,
    otherwise: Found,
): Promise<Found & CertificateProbe & { entry: string; problem?: string }> {
    const name = `${entry.host}:${entry.port}`;
    const begin = Date.now();
    let session: Session | undefined;
    try {
        session = await Session.open(entry, limits);
        const { certificateEnd } = session;
        return { entry: name, certificateEnd, ...(await ask(session, name, begin)) };
    } catch (error) {
        return { entry: name, ...otherwise, problem: (error as Error).message };
    } finally {
        session?.close();
    }
}

async function write(session: Session, name: string): Promise<void> {
    try {
        await session.query(upsert, [name]);
    } catch (error) {
        if (!isRefusal(error) || !missing.has((error as { code: string }).code)) {
            throw error;
        }
        await session.query(createTable);
        await session.query(upsert, [name]);
    }
}
