import type { OperationOf } from "./operation";
import type { Reading } from "./reader";
import type { Violation } from "./violation";

type CountersSeen = Pick<Reading, "begin" | "end"> & { counters: ReadonlyMap<number, number> };

/**
 * Each counter has one writer, so that its value is known between bounds at any time: not less than what was
 * acknowledged, or read, before a read began, not more than what had been tried when it ended.
 */
export function verifyCounters(
    counts: OperationOf<"count">[],
    readings: Reading[],
    final: ReadonlyMap<number, number>,
): Violation[] {
    const clients = new Map<number, OperationOf<"count">[]>();
    for (const operation of counts) {
        clients.set(operation.client, [...(clients.get(operation.client) ?? []), operation]);
    }
    const end = [...counts, ...readings].reduce((last, each) => Math.max(last, each.end), 0) + 1;
    const last: CountersSeen = { begin: end, end, counters: final };
    const seen = [...readings.filter(({ from }) => from === "primary"), last];
    return [...clients].flatMap(([client, operations]) => [
        ...ownAnswers(client, operations),
        ...seen.flatMap((reading) => bounds(client, operations, reading)),
        ...unread(client, seen),
    ]);
}

/** What somebody has read nobody may read an earlier state of afterwards, also where no client was ever told that it is done. */
function unread(client: number, readings: CountersSeen[]): Violation[] {
    const byEnd = readings.toSorted((a, b) => a.end - b.end);
    const violations: Violation[] = [];
    let ended = 0;
    let highest = 0;
    for (const { begin, counters } of readings.toSorted((a, b) => a.begin - b.begin)) {
        for (let other = byEnd[ended]; other !== undefined && other.end < begin; other = byEnd[(ended += 1)]) {
            highest = Math.max(highest, other.counters.get(client) ?? 0);
        }
        const value = counters.get(client) ?? 0;
        if (value < highest) {
            const at = new Date(begin).toISOString();
            const detail = `counter ${client} was ${value} at ${at}, after ${highest} had been read`;
            violations.push({ kind: "went-back", id: client, detail });
        }
    }
    return violations;
}

/** What the client itself was told grows with every increment. */
function ownAnswers(client: number, operations: OperationOf<"count">[]): Violation[] {
    const violations: Violation[] = [];
    let highest = 0;
    for (const { id, outcome, work } of operations) {
        if (outcome !== "ok" || work.value === undefined) {
            continue;
        }
        if (work.value <= highest) {
            const detail = `counter ${client} was told ${work.value} after ${highest}`;
            violations.push({ kind: "went-back", id, detail });
        }
        highest = Math.max(highest, work.value);
    }
    return violations;
}

function bounds(client: number, operations: OperationOf<"count">[], reading: CountersSeen): Violation[] {
    const seen = reading.counters.get(client) ?? 0;
    const told = operations.filter(({ outcome, end }) => outcome === "ok" && end < reading.begin);
    const least = Math.max(0, ...told.map(({ work }) => work.value ?? 0));
    const most = operations.filter(({ outcome, begin }) => outcome !== "failed" && begin <= reading.end).length;
    const at = new Date(reading.begin).toISOString();
    if (seen < least) {
        return [{ kind: "went-back", id: client, detail: `counter ${client} was ${seen} at ${at}, after ${least}` }];
    }
    return seen > most
        ? [{ kind: "too-many", id: client, detail: `counter ${client} was ${seen} at ${at}, tried were ${most}` }]
        : [];
}

/** How far replicas were behind what had been acknowledged, in operations of one client: stale, not wrong. */
export function staleness(counts: OperationOf<"count">[], readings: Reading[]): number {
    const behind = readings
        .filter(({ from }) => from === "replica")
        .flatMap(({ begin, counters }) =>
            [...counters].map(
                ([client, seen]) =>
                    counts.filter(
                        ({ client: owner, outcome, end, work }) =>
                            owner === client && outcome === "ok" && end < begin && (work.value ?? 0) > seen,
                    ).length,
            ),
        );
    return behind.reduce((worst, value) => Math.max(worst, value), 0);
}
