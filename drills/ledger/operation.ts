import { isRefusal } from "../../commands/status/session";

/**
 * ok: the server acknowledged it. failed: it certainly was not done. unknown: nobody told, as when the connection is
 * lost after the statement was sent.
 */
export type Outcome = "ok" | "failed" | "unknown";

/** One piece of work of one client. Times are milliseconds of a monotonic clock that starts at the epoch. */
export interface Operation {
    client: number;
    /** No two operations of a round share it. */
    id: number;
    begin: number;
    end: number;
    outcome: Outcome;
    reason?: string;
    work: Work;
}

export type Work =
    /** One row with the operation's id. */
    | { kind: "insert" }
    /** Money from one account to another, and a row that tells of it, in one transaction. */
    | { kind: "transfer"; from: number; to: number; amount: number }
    /** One more on the client's own counter; `value` is what the server answered. */
    | { kind: "count"; value?: number }
    /** Reads of lists and appends to them, in one serializable transaction. */
    | { kind: "lists"; steps: ListStep[] };

/** `read` is undefined until the server has answered. */
export type ListStep = { key: number; append: number } | { key: number; read: number[] | undefined };

export type OperationOf<Kind extends Work["kind"]> = Operation & { work: Extract<Work, { kind: Kind }> };

export const operationsOf = <Kind extends Work["kind"]>(operations: Operation[], kind: Kind): OperationOf<Kind>[] =>
    operations.filter((operation): operation is OperationOf<Kind> => operation.work.kind === kind);

/** Wall clock jumps must not look like outages. */
export const now = (): number => performance.timeOrigin + performance.now();

/**
 * A cancelled wait for the standby ends in a warning and then in a normal acknowledgement: the row is on one machine
 * only, and the drivers call it success.
 */
export const isCancelledWait = (notice: string): boolean =>
    /cancell?ing (the )?wait for synchronous replication/i.test(notice);

export interface Attempt {
    error?: unknown;
    /** The server said that the wait for the standby was cancelled. */
    waitCancelled: boolean;
    /** A statement that commits was sent: before it nothing can have been done. */
    commitSent: boolean;
}

export function classify({ error, waitCancelled, commitSent }: Attempt): Outcome {
    if (waitCancelled && commitSent) {
        return "unknown";
    }
    if (error === undefined) {
        return "ok";
    }
    return !commitSent || isRefusal(error) ? "failed" : "unknown";
}
