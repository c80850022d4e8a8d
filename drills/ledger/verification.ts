import type { Operation } from "./operation";

export interface Violation {
    kind: "lost" | "duplicated" | "phantom" | "foreign";
    id: number;
    detail: string;
}

export interface Verdict {
    acknowledged: number;
    failed: number;
    unknown: number;
    /** Of the unknown ones: how many turned out to be there. */
    unknownPresent: number;
    lost: number;
    violations: Violation[];
}

/**
 * Compares what clients were told with the rows found afterwards (id and how often): every acknowledged one is there
 * exactly once, no failed one is, and nothing is there that nobody wrote.
 */
export function verify(operations: Operation[], found: ReadonlyMap<number, number>): Verdict {
    const byId = new Map(operations.map((operation) => [operation.id, operation]));
    const violations: Violation[] = [];
    for (const operation of operations) {
        const { id, outcome, client } = operation;
        const times = found.get(id) ?? 0;
        if (outcome === "ok" && times === 0) {
            violations.push({ kind: "lost", id, detail: `client ${client} was told that it is written` });
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
    const count = (outcome: Operation["outcome"]) => operations.filter((operation) => operation.outcome === outcome);
    return {
        acknowledged: count("ok").length,
        failed: count("failed").length,
        unknown: count("unknown").length,
        unknownPresent: count("unknown").filter(({ id }) => found.has(id)).length,
        lost: violations.filter(({ kind }) => kind === "lost").length,
        violations,
    };
}
