import { verifyBank, verifyTotals } from "./bank";
import { staleness, verifyCounters } from "./counters";
import { findAnomalies } from "./lists/anomalies";
import { historyOf } from "./lists/history";
import { operationsOf, type Operation, type Outcome } from "./operation";
import type { Reading } from "./reader";
import { accounts, openingBalance, type Found } from "./table";
import { verifyRows } from "./verification";
import type { Violation } from "./violation";

/** What a round's clients were told, held against what is there. */
export interface Verdict {
    acknowledged: number;
    failed: number;
    unknown: number;
    /** Reads on the read-write and on the read-only entries that began after the fault. */
    reads: { primary: number; replica: number };
    /** The same of each read-write entry. Undefined in rounds that were made before they were told apart. */
    readsPerEntry?: Record<string, number>;
    /** How often a read-write entry led a reader or a writer to a standby. Undefined in older rounds, too. */
    ledToStandby?: number;
    lost: number;
    /** Empty, or the promise is broken. */
    violations: Violation[];
    /** What reads on replicas may show and those on the primary may not; docs/drills.md says what and why. */
    onReplicas: { anomalies: Violation[]; operationsBehind: number };
}

export interface LedgerSeen {
    operations: Operation[];
    readings: Reading[];
    /** Attempts to read on a read-write entry that ended on a standby. */
    misled: number;
    /** What is there in the end. */
    found: Found;
    faultAt: number;
    /** The read-write ones, by name: nothing may have been read through one of them. */
    entries: string[];
}

export function judgeLedger({ operations, readings, misled, found, faultAt, entries }: LedgerSeen): Verdict {
    const counts = operationsOf(operations, "count");
    const history = historyOf(operations, readings);
    const onReplica = new Set(history.filter(({ on }) => on === "replica").map(({ id }) => id));
    const isAccepted = ({ kind, id }: Violation) => kind === "G1a-unknown" && onReplica.has(id);
    const anomalies = findAnomalies(history, found.lists);
    const violations = [
        ...verifyRows(operationsOf(operations, "insert"), found.writes),
        ...verifyBank(operationsOf(operations, "transfer"), found, { accounts, balance: openingBalance }),
        ...verifyTotals(readings, accounts * openingBalance),
        ...verifyCounters(counts, readings, found.counters),
        ...anomalies.filter((anomaly) => !isAccepted(anomaly)),
    ];
    const told = (outcome: Outcome) => operations.filter((operation) => operation.outcome === outcome).length;
    const since = readings.filter(({ begin }) => begin >= faultAt);
    const readFrom = (from: Reading["from"]) => since.filter((reading) => reading.from === from).length;
    const readThrough = (entry: string) => since.filter((reading) => reading.entry === entry).length;
    const refusedThere = operations.filter(({ reason = "" }) =>
        /read-only transaction|hot standby/.test(reason),
    ).length;
    return {
        acknowledged: told("ok"),
        failed: told("failed"),
        unknown: told("unknown"),
        reads: { primary: readFrom("primary"), replica: readFrom("replica") },
        readsPerEntry: Object.fromEntries(entries.map((entry) => [entry, readThrough(entry)])),
        ledToStandby: misled + refusedThere,
        lost: violations.filter(({ kind }) => kind === "lost" || kind === "went-back").length,
        violations,
        onReplicas: { anomalies: anomalies.filter(isAccepted), operationsBehind: staleness(counts, readings) },
    };
}
