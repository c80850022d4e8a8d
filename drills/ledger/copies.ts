import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../commands/status/session";
import { openInstance, type InstanceAccess } from "./instance-session";
import { roundTables } from "./table";
import type { Violation } from "./violation";

/** The round's rows in short: how many each table has, and a sum over their hashes, whatever their order. */
const digest = `select string_agg(rows::text || ':' || hash::text, ' ' order by name) as digest from (${roundTables
    .map(
        (
            table,
        ) => `select '${table}' as name, count(*) as rows, coalesce(sum(hashtextextended(found::text, 0)), 0) as hash
            from drills.${table} as found where round = $1`,
    )
    .join(" union all ")}) as tables`;

const limits = { applicationName: "drills copies", statementTimeoutMs: 30_000 };

/**
 * Holds every standby's rows of a round that has ended against the primary's: what is there only on the primary would be
 * lost with the next failure, and what is there only on a standby appears with it. Each gets 30 s to replay what there is.
 */
export async function differingCopies(access: InstanceAccess, round: string, limitSeconds = 30): Promise<Violation[]> {
    const end = Date.now() + limitSeconds * 1000;
    const ask = async <Answer>(index: number, use: (session: Session) => Promise<Answer>): Promise<Answer> => {
        const instance = access.instances[index];
        if (instance === undefined) throw new Error(`there is no instance ${index}`);
        const session = await openInstance(access, instance, limits);
        try {
            return await use(session);
        } finally {
            session.close();
        }
    };
    const primary = await until(end, async () => {
        const answers = await Promise.all(
            access.instances.map((_, index) => ask(index, whereItIs(round)).catch(() => undefined)),
        );
        const index = answers.findIndex((answer) => answer?.recovering === false);
        const found = answers[index];
        return found === undefined ? undefined : { index, ...found };
    });
    if (primary === undefined) {
        return [{ kind: "behind", id: 0, detail: `no instance was found to be the primary within ${limitSeconds} s` }];
    }
    const compare = async ({ name }: { name: string }, index: number): Promise<Violation[]> => {
        let last = "it did not answer";
        const copy = await until(end, () =>
            ask(index, async (session) => {
                const { rows } = await session.query<{ reached: boolean; at: string }>(
                    "select pg_last_wal_replay_lsn() >= $1::pg_lsn as reached, pg_last_wal_replay_lsn()::text as at",
                    [primary.lsn],
                );
                last = `it has replayed up to ${rows[0]?.at}`;
                return rows[0]?.reached === true ? (await whereItIs(round)(session)).digest : undefined;
            }).catch((error: unknown) => {
                last = (error as Error).message;
                return undefined;
            }),
        );
        const what = `${name} against the primary, ${access.instances[primary.index]?.name}`;
        if (copy === undefined) {
            return [{ kind: "behind", id: index, detail: `${what}, at ${primary.lsn}: ${last}` }];
        }
        return copy === primary.digest
            ? []
            : [{ kind: "diverged", id: index, detail: `${what}: rows and hashes ${copy}, not ${primary.digest}` }];
    };
    const standbys = access.instances.map((instance, index) =>
        index === primary.index ? Promise.resolve([]) : compare(instance, index),
    );
    return (await Promise.all(standbys)).flat();
}

interface Copy {
    recovering: boolean;
    digest: string;
    /** WAL that the digest is in; of a standby nothing. */
    lsn: string;
}

/** The position is read after the rows: who has replayed up to it has at least them. */
const whereItIs =
    (round: string) =>
    async (session: Session): Promise<Copy> => {
        const found = await session.query<{ digest: string }>(digest, [round]);
        const { rows } = await session.query<{ recovering: boolean; lsn: string | null }>(
            `select pg_is_in_recovery() as recovering,
                case when not pg_is_in_recovery() then pg_current_wal_flush_lsn()::text end as lsn`,
        );
        return {
            recovering: rows[0]?.recovering ?? true,
            digest: found.rows[0]?.digest ?? "",
            lsn: rows[0]?.lsn ?? "",
        };
    };

async function until<Found>(end: number, look: () => Promise<Found | undefined>): Promise<Found | undefined> {
    for (;;) {
        const found = await look();
        if (found !== undefined || Date.now() > end) {
            return found;
        }
        await sleep(200);
    }
}
