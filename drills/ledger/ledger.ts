import type { Entry } from "../../commands/status/session";
import { now, type Operation } from "./operation";
import { outage, type Gap } from "./outage";
import { nameOf, runReader, type Reading } from "./reader";
import { findRound, forgetRound, prepareRound } from "./table";
import { judgeLedger, type Verdict } from "./verdict";
import type { Violation } from "./violation";
import { appendsOf, openListsAfter } from "./work";
import { runWriter } from "./writer";

export interface LedgerOptions {
    readWrite: Entry[];
    readOnly: Entry[];
    /** Names the round's rows. */
    round: string;
    /** @default 20 */
    writers?: number;
    /**
     * Half of them, rounded up, on the read-write entries. Beside them one stays with each read-write entry: of a machine that
     * goes on after a pause it sees what that machine takes for the primary. @default 4
     */
    readers?: number;
    /** Pause of a client between two operations. @default 100 */
    pauseMs?: number;
    /** Holds the standbys' rows of the round against the primary's, when nobody writes any more. */
    compareCopies?: (round: string) => Promise<Violation[]>;
}

export interface OutageSeen {
    /** No client at all got an acknowledgement. */
    whole: Gap;
    perClient: Gap[];
    worstClient: Gap;
}

/** What clients did, were told and have read, kept beside the database, so that it can be held against what is in it. */
export class Ledger {
    readonly operations: Operation[] = [];
    readonly readings: Reading[] = [];
    private readonly acknowledged: number[][];
    private appends = 0;
    private misled = 0;
    private stopped = false;
    private clients: Promise<void>[] = [];

    private constructor(
        private readonly options: LedgerOptions,
        writers: number,
    ) {
        this.acknowledged = Array.from({ length: writers }, () => []);
    }

    static async start(options: LedgerOptions): Promise<Ledger> {
        const { readWrite, readOnly, round, writers = 20, readers = 4, pauseMs = 100 } = options;
        await prepareRound(readWrite, round, writers);
        const ledger = new Ledger(options, writers);
        const isStopped = () => ledger.stopped;
        const writing = Array.from({ length: writers }, (_, client) =>
            runWriter({
                entries: readWrite,
                client,
                round,
                pauseMs,
                appendsSoFar: () => ledger.appends,
                record: (operation) => ledger.record(operation),
                isStopped,
            }),
        );
        const reading = Array.from({ length: readers }, (_, reader) =>
            runReader({
                ...(reader % 2 === 0
                    ? ({ entries: readWrite, from: "primary" } as const)
                    : ({ entries: readOnly, from: "replica" } as const)),
                reader,
                round,
                pauseMs: 2 * pauseMs,
                openLists: () => openListsAfter(ledger.appends),
                record: (seen) => ledger.readings.push(seen),
                misled: () => (ledger.misled += 1),
                isStopped,
            }),
        );
        const staying = readWrite.map((entry, index) =>
            runReader({
                ...{ entries: [entry], from: "primary", reader: readers + index, round, fresh: true },
                pauseMs: 10 * pauseMs,
                openLists: () => [],
                record: (seen) => ledger.readings.push(seen),
                misled: () => (ledger.misled += 1),
                isStopped,
            }),
        );
        ledger.clients = [...writing, ...reading, ...staying];
        return ledger;
    }

    private record(operation: Operation): void {
        this.operations.push(operation);
        if (operation.outcome === "ok") {
            this.acknowledged[operation.client]?.push(operation.end);
            this.appends += appendsOf(operation.work);
        }
    }

    /** Every client was told "done" since then. */
    allAcknowledgedSince(time: number): boolean {
        return this.acknowledged.every((times) => (times.at(-1) ?? 0) > time);
    }

    outage(faultAt: number, endAt = now()): OutageSeen {
        const perClient = this.acknowledged.map((times) => outage(times, faultAt, endAt));
        const worstClient = perClient.reduce((worst, gap) => (gap.seconds > worst.seconds ? gap : worst));
        return { whole: outage(this.acknowledged.flat(), faultAt, endAt), perClient, worstClient };
    }

    /** Ends the round and holds what clients were told against what is there. */
    async finish(faultAt: number): Promise<Verdict> {
        await this.stop();
        const { readWrite, round, compareCopies } = this.options;
        const found = await findRound(readWrite, round);
        const { operations, readings, misled } = this;
        const entries = readWrite.map(nameOf);
        const verdict = judgeLedger({ operations, readings, misled, found, faultAt, entries });
        verdict.violations.push(...((await compareCopies?.(round)) ?? []));
        if (verdict.violations.length === 0) {
            await forgetRound(readWrite, round);
        }
        return verdict;
    }

    async stop(): Promise<void> {
        this.stopped = true;
        await Promise.all(this.clients);
    }
}
