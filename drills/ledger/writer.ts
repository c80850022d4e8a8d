import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, Session, type Entry } from "../../commands/status/session";
import { classify, isCancelledWait, now, type Operation } from "./operation";
import { chooseWork, doWork } from "./work";

export interface WriterOptions {
    entries: Entry[];
    client: number;
    round: string;
    /** Pause between two operations of one client. */
    pauseMs: number;
    /** Appends of all clients so far. */
    appendsSoFar: () => number;
    record: (operation: Operation) => void;
    isStopped: () => boolean;
}

/** Ids of different clients never meet. */
const idsPerClient = 10_000_000;
const retryMs = 100;

/** One client: does one piece of work after the other, each with an id of its own, and never the same one twice. */
export async function runWriter(options: WriterOptions): Promise<void> {
    const { entries, client, round, pauseMs, record, isStopped } = options;
    let turn = client;
    let id = client * idsPerClient;
    let waitCancelled = false;
    let session: Session | undefined;
    while (!isStopped()) {
        if (session === undefined || session.isBroken) {
            session = await openSession(entries[turn % entries.length], "drills writer", (notice) => {
                waitCancelled ||= isCancelledWait(notice);
            });
            if (session === undefined) {
                turn += 1;
                await sleep(retryMs);
                continue;
            }
        }
        id += 1;
        waitCancelled = false;
        let commitSent = false;
        const work = chooseWork(id + client, options.appendsSoFar());
        const begin = now();
        const error = await doWork(work, { session, round, client, id, commitSent: () => (commitSent = true) }).then(
            () => undefined,
            (reason: unknown) => reason ?? new Error("unknown"),
        );
        const outcome = classify({ error, waitCancelled, commitSent });
        const reason = waitCancelled ? "the wait for the standby was cancelled" : (error as Error | undefined)?.message;
        record({ client, id, begin, end: now(), outcome, reason, work });
        if (error !== undefined && !(await goesOn(session, error))) {
            session.close();
            session = undefined;
            turn += 1;
            await sleep(retryMs);
        }
        await sleep(pauseMs);
    }
    session?.close();
}

/** Two transactions in each other's way, or a deadlock: the server is well, and the next attempt may follow. */
const conflicts = new Set(["40001", "40P01"]);

/** A read-only server may stay one for ever: another connection leads elsewhere. A conflict is no reason to leave. */
async function goesOn(session: Session, error: unknown): Promise<boolean> {
    if (!isRefusal(error) || !conflicts.has((error as { code: string }).code)) {
        return false;
    }
    return session.query("rollback").then(
        () => true,
        () => false,
    );
}

export async function openSession(
    entry: Entry | undefined,
    applicationName: string,
    onNotice?: (message: string) => void,
): Promise<Session | undefined> {
    if (entry === undefined) {
        throw new Error("the connection string names no entry");
    }
    const options = { connectTimeoutMs: 2000, statementTimeoutMs: 3000, applicationName, onNotice };
    return Session.open(entry, options).catch(() => undefined);
}
