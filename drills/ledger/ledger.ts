import type { Entry } from "../../commands/status/session";
import { now, type Operation } from "./operation";
import { outage, type Gap } from "./outage";
import { findWrites, forgetRound, prepareTables } from "./table";
import { verify, type Verdict } from "./verification";
import { runWriter } from "./writer";

export interface LedgerOptions {
    entries: Entry[];
    /** Names the round's rows. */
    round: string;
    /** @default 10 */
    writers?: number;
    /** @default 50 */
    pauseMs?: number;
}

export interface OutageSeen {
    /** No client at all got an acknowledgement. */
    whole: Gap;
    perClient: Gap[];
    worstClient: Gap;
}

/** What N writers were told, kept beside the database, so that it can be held against what is in it. */
export class Ledger {
    readonly operations: Operation[] = [];
    private stopped = false;
    private writers: Promise<void>[] = [];

    private constructor(private readonly options: LedgerOptions) {}

    static async start(options: LedgerOptions): Promise<Ledger> {
        await prepareTables(options.entries);
        const ledger = new Ledger(options);
        ledger.writers = Array.from({ length: options.writers ?? 10 }, (_, client) =>
            runWriter({
                entries: options.entries,
                client,
                round: options.round,
                pauseMs: options.pauseMs ?? 50,
                record: (operation) => ledger.operations.push(operation),
                isStopped: () => ledger.stopped,
            }),
        );
        return ledger;
    }

    private acknowledgements(client: number): number[] {
        return this.operations
            .filter((operation) => operation.client === client && operation.outcome === "ok")
            .map(({ end }) => end);
    }

    /** Every client was told "written" since then. */
    allAcknowledgedSince(time: number): boolean {
        return this.writers.every((_, client) => this.acknowledgements(client).some((end) => end > time));
    }

    outage(faultAt: number, endAt = now()): OutageSeen {
        const clients = this.writers.map((_, client) => this.acknowledgements(client));
        const perClient = clients.map((times) => outage(times, faultAt, endAt));
        const worstClient = perClient.reduce((worst, gap) => (gap.seconds > worst.seconds ? gap : worst));
        return { whole: outage(clients.flat(), faultAt, endAt), perClient, worstClient };
    }

    /** Ends the round and holds what clients were told against the rows. */
    async finish(): Promise<Verdict> {
        await this.stop();
        const verdict = verify(this.operations, await findWrites(this.options.entries, this.options.round));
        if (verdict.violations.length === 0) {
            await forgetRound(this.options.entries, this.options.round);
        }
        return verdict;
    }

    async stop(): Promise<void> {
        this.stopped = true;
        await Promise.all(this.writers);
    }
}
