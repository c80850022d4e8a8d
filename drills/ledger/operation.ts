import { isRefusal } from "../../commands/status/session";

/**
 * ok: the server acknowledged it. failed: it certainly was not done. unknown: nobody told, as when the connection is
 * lost after the statement was sent.
 */
export type Outcome = "ok" | "failed" | "unknown";

/** One write of one client. Times are milliseconds of a monotonic clock that starts at the epoch. */
export interface Operation {
    client: number;
    id: number;
    begin: number;
    end: number;
    outcome: Outcome;
    reason?: string;
}

/** Wall clock jumps must not look like outages. */
export const now = (): number => performance.timeOrigin + performance.now();

/**
 * A cancelled wait for the standby ends in a warning and then in a normal acknowledgement: the row is on one machine
 * only, and the drivers call it success.
 */
export const isCancelledWait = (notice: string): boolean =>
    /cancell?ing (the )?wait for synchronous replication/i.test(notice);

export function classify(error: unknown, waitCancelled: boolean): Outcome {
    if (waitCancelled) {
        return "unknown";
    }
    if (error === undefined) {
        return "ok";
    }
    return isRefusal(error) ? "failed" : "unknown";
}
