/**
 * What an outage is held against.
 * - unaffected: the database must not notice; a retry on one connection is all that may be seen
 * - planned, process: a change that Patroni is told of, or sees in its next loop
 * - standby: commits wait until a frozen synchronous standby is given up (`wal_sender_timeout`)
 * - frozen: nobody is told and the lock must expire, the machine itself runs on
 * - machine: as frozen, with the connections of a machine that answers no more: the objective that the stack's timers
 *   are derived from (components/recovery.ts: 7 s beside ttl)
 * - unconfirmed: as machine, and the primary waits a loop longer before it gives way, for 2 s more at most until it has
 *   noticed, stopped and given the lock back
 * - restart: everything starts from nothing
 */
export type Bar = "unaffected" | "planned" | "process" | "standby" | "frozen" | "machine" | "unconfirmed" | "restart";

/** Patroni's timers as they are in force, in seconds. */
export interface EffectiveTimers {
    ttl: number;
    walSenderTimeout: number;
}

/** A client whose own entry is gone waits for it no longer than this, in seconds (`connect_timeout`). */
const connectTimeout = 2;

/** Longest accepted pause of a single client, at the 95th percentile. */
export const clientBarSeconds = (bar: Bar, timers: EffectiveTimers): number => barSeconds(bar, timers) + connectTimeout;

/** Longest accepted outage in seconds, at the 95th percentile over rounds. What waits for the lock follows its life. */
export function barSeconds(bar: Bar, timers: EffectiveTimers): number {
    const seconds: Record<Bar, number> = {
        unaffected: 1,
        planned: 3,
        process: 5,
        standby: timers.walSenderTimeout + 3,
        frozen: timers.ttl + 6,
        machine: timers.ttl + 7,
        unconfirmed: timers.ttl + 10,
        restart: 90,
    };
    return seconds[bar];
}
