import type { ListStep, Operation, Outcome } from "../operation";
import { operationsOf } from "../operation";
import type { Reading } from "../reader";

/** A transaction over lists; what it read is as the server answered. */
export interface Transaction {
    id: number;
    outcome: Outcome;
    /** Where it ran: replicas show states that may be older. */
    on: "primary" | "replica";
    steps: ListStep[];
}

/** Writers' transactions and the readers', under ids that never meet. */
export function historyOf(operations: Operation[], readings: Reading[]): Transaction[] {
    const written = operationsOf(operations, "lists").map(({ id, outcome, work }): Transaction => ({
        id,
        outcome,
        on: "primary",
        steps: work.steps,
    }));
    const read = readings.map(({ from, lists }, index): Transaction => ({
        id: -1 - index,
        outcome: "ok",
        on: from,
        steps: [...lists].map(([key, items]) => ({ key, read: items })),
    }));
    return [...written, ...read];
}
