import type { Operation } from "./operation";
import type { Violation } from "./violation";

/**
 * Compares what clients were told with the rows found afterwards (id and how often): every acknowledged one is there
 * exactly once, no failed one is, and nothing is there that nobody wrote.
 */
export function verifyRows(operations: Operation[], found: ReadonlyMap<number, number>): Violation[] {
    const byId = new Map(operations.map((operation) => [operation.id, operation]));
    const violations: Violation[] = [];
    for (const operation of operations) {
        const { id, outcome, client, work } = operation;
        const times = found.get(id) ?? 0;
        if (outcome === "ok" && times === 0) {
            const at = new Date(operation.end).toISOString();
            violations.push({
                kind: "lost",
                id,
                detail: `client ${client} was told at ${at} that ${work.kind} is done`,
            });
        }
        if (outcome === "failed" && times > 0) {
            violations.push({
                kind: "phantom",
                id,
                detail: `client ${client} was told: ${operation.reason ?? "failed"}`,
            });
        }
        if (times > 1) {
            violations.push({ kind: "duplicated", id, detail: `found ${times} times` });
        }
    }
    for (const id of found.keys()) {
        if (!byId.has(id)) {
            violations.push({ kind: "foreign", id, detail: "no client wrote it" });
        }
    }
    return violations;
}
