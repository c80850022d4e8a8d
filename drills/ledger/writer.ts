import { setTimeout as sleep } from "node:timers/promises";
import { Session, type Entry } from "../../commands/status/session";
import { classify, isCancelledWait, now, type Operation } from "./operation";
import { insertWrite } from "./table";

export interface WriterOptions {
    entries: Entry[];
    client: number;
    round: string;
    /** Pause between two writes of one client. */
    pauseMs: number;
    record: (operation: Operation) => void;
    isStopped: () => boolean;
}

/** Ids of different clients never meet. */
const idsPerClient = 10_000_000;
const retryMs = 100;

/** One client: inserts a row with an id of its own, again and again, and never the same one twice. */
export async function runWriter(options: WriterOptions): Promise<void> {
    const { entries, client, round, pauseMs, record, isStopped } = options;
    let turn = client;
    let id = client * idsPerClient;
    let waitCancelled = false;
    let session: Session | undefined;
    while (!isStopped()) {
        if (session === undefined || session.isBroken) {
            session = await open(
                entries[turn % entries.length],
                (notice) => (waitCancelled ||= isCancelledWait(notice)),
            );
            if (session === undefined) {
                turn += 1;
                await sleep(retryMs);
                continue;
            }
        }
        id += 1;
        waitCancelled = false;
        const begin = now();
        const error = await session.query(insertWrite, [round, id, client]).then(
            () => undefined,
            (reason: unknown) => reason ?? new Error("unknown"),
        );
        const outcome = classify(error, waitCancelled);
        const reason = waitCancelled ? "the wait for the standby was cancelled" : (error as Error | undefined)?.message;
        record({ client, id, begin, end: now(), outcome, reason });
        if (error !== undefined) {
            // A read-only server may stay one for ever: another connection leads elsewhere.
            session.close();
            session = undefined;
            turn += 1;
            await sleep(retryMs);
        }
        await sleep(pauseMs);
    }
    session?.close();
}

async function open(entry: Entry | undefined, onNotice: (message: string) => void): Promise<Session | undefined> {
    if (entry === undefined) {
        throw new Error("the connection string names no entry");
    }
    const options = { connectTimeoutMs: 2000, statementTimeoutMs: 3000, applicationName: "drills writer", onNotice };
    return Session.open(entry, options).catch(() => undefined);
}
