import type { Violation } from "../violation";
import { DependencyGraph, type Dependency, type Edge } from "./graph";
import type { Transaction } from "./history";

export type Lists = ReadonlyMap<number, readonly number[]>;

interface Writes {
    /** Who appended each item. */
    writer: Map<number, Transaction>;
    /** The last item that a transaction appended to a list; what came before it nobody else may see. */
    isLast: Set<number>;
}

/**
 * Looks for what a serializable database never shows, in a history of appends and reads and the lists as they were in
 * the end (method of Elle, Kingsbury & Alvaro 2020; names as in Adya 1999). The final lists give the order of all
 * appends, so that every dependency is known:
 *
 * - lost, duplicated, phantom, foreign, torn: the final lists are not what was acknowledged
 * - internal: a transaction does not see its own appends
 * - incompatible-order: a list was read in a state that it never had
 * - G1a: something was read that was never committed, G1a-unknown where its client was never told; G1b: the middle of somebody's transaction was read
 * - G0, G1c: a cycle of overwriting; of overwriting and reading
 * - G-single: a cycle with exactly one read of what then changed; lost-update: its kind where two transactions read
 *   the same state and both append to it
 */
export function findAnomalies(history: Transaction[], final: Lists): Violation[] {
    const writes = writesOf(history);
    const present = new Set([...final.values()].flat());
    const committed = history.filter((transaction) => isCommitted(transaction, present));
    const ids = new Set(committed.map(({ id }) => id));
    return [
        ...againstFinal(history, final, writes),
        ...committed.flatMap((transaction) => readProblems(transaction, final, writes)),
        ...lostUpdates(committed),
        ...cycles(dependencies(committed, final, writes, ids)),
    ];
}

const appends = ({ steps }: Transaction): { key: number; append: number }[] =>
    steps.flatMap((step) => ("append" in step ? [step] : []));

/** An unknown one is taken for committed when any of its appends is there in the end. */
const isCommitted = (transaction: Transaction, present: Set<number>): boolean =>
    transaction.outcome === "ok" ||
    (transaction.outcome === "unknown" && appends(transaction).some(({ append }) => present.has(append)));

function writesOf(history: Transaction[]): Writes {
    const writer = new Map<number, Transaction>();
    const isLast = new Set<number>();
    for (const transaction of history) {
        const last = new Map<number, number>();
        for (const { key, append } of appends(transaction)) {
            writer.set(append, transaction);
            last.set(key, append);
        }
        for (const item of last.values()) isLast.add(item);
    }
    return { writer, isLast };
}

function againstFinal(history: Transaction[], final: Lists, { writer }: Writes): Violation[] {
    const violations: Violation[] = [];
    const times = new Map<number, number>();
    for (const item of [...final.values()].flat()) {
        times.set(item, (times.get(item) ?? 0) + 1);
    }
    for (const [item, count] of times) {
        const by = writer.get(item);
        if (by === undefined) {
            violations.push({ kind: "foreign", id: item, detail: "no client appended it" });
        } else if (by.outcome === "failed") {
            violations.push({ kind: "phantom", id: by.id, detail: `${item} was refused and is there` });
        }
        if (count > 1) {
            violations.push({ kind: "duplicated", id: by?.id ?? item, detail: `${item} is there ${count} times` });
        }
    }
    for (const transaction of history.filter(({ outcome }) => outcome !== "failed")) {
        const items = appends(transaction).map(({ append }) => append);
        const missing = items.filter((item) => !times.has(item));
        const detail = `${missing.join(", ")} of transaction ${transaction.id} is not in the final lists`;
        if (transaction.outcome === "ok" && missing.length > 0) {
            violations.push({ kind: "lost", id: transaction.id, detail });
        } else if (missing.length > 0 && missing.length < items.length) {
            violations.push({ kind: "torn", id: transaction.id, detail });
        }
    }
    return violations;
}

interface ListRead {
    key: number;
    /** What others had appended before. */
    external: readonly number[];
    isInternal: boolean;
}

/** Reads of a transaction, without what it had appended itself by then. */
function readsOf({ steps }: Transaction): ListRead[] {
    const own = new Map<number, number[]>();
    const known = new Map<number, readonly number[]>();
    const reads: ListRead[] = [];
    for (const step of steps) {
        const mine = own.get(step.key) ?? [];
        if ("append" in step) {
            own.set(step.key, [...mine, step.append]);
        } else if (step.read !== undefined) {
            const { read } = step;
            const external = read.slice(0, read.length - mine.length);
            const before = known.get(step.key) ?? external;
            const expected = [...before, ...mine];
            const isInternal = expected.length === read.length && expected.every((item, at) => item === read[at]);
            reads.push({ key: step.key, external: isInternal ? external : read, isInternal });
            known.set(step.key, before);
        }
    }
    return reads;
}

function readProblems(transaction: Transaction, final: Lists, writes: Writes): Violation[] {
    const { id } = transaction;
    const { writer, isLast } = writes;
    const reads = readsOf(transaction);
    const ofEach = reads.flatMap(({ key, external, isInternal }): Violation[] => {
        const whole = final.get(key) ?? [];
        const violations: Violation[] = [];
        if (!isInternal) {
            violations.push({ kind: "internal", id, detail: `list ${key}: does not see its own work` });
        }
        const gone = goneFrom(external, whole);
        if (gone.length > 0) {
            const outcomes = [...new Set(gone.map((item) => writer.get(item)?.outcome ?? "foreign"))];
            const detail = `list ${key}: read ${gone.join(", ")} (${outcomes.join(", ")}), which is not there in the end`;
            const isUnknown = outcomes.every((outcome) => outcome === "unknown");
            violations.push({ kind: isUnknown ? "G1a-unknown" : "G1a", id, detail });
        }
        // What a promotion leaves behind was the end of its list: nothing that is still there can have followed it.
        const left = external.slice(0, external.length - gone.length);
        if (left.some((item, at) => item !== whole[at])) {
            const detail = `list ${key}: read ${external.join(" ")}, which is no beginning of ${whole.join(" ")}`;
            violations.push({ kind: "incompatible-order", id, detail });
        }
        const last = external.at(-1);
        if (last !== undefined && !isLast.has(last) && writer.get(last)?.id !== id) {
            violations.push({
                kind: "G1b",
                id,
                detail: `list ${key}: read up to ${last}, the middle of a transaction`,
            });
        }
        return violations;
    });
    return [...ofEach, ...halfSeen(id, reads, final, writes)];
}

/** What was read and is not there in the end. */
const goneFrom = (external: readonly number[], whole: readonly number[]): number[] =>
    external.filter((item) => !whole.includes(item));

/** Transactions that are not there in the end, and that one state showed in one list and not in another. */
function halfSeen(id: number, reads: ListRead[], final: Lists, { writer }: Writes): Violation[] {
    const gone = reads.flatMap(({ key, external }) => goneFrom(external, final.get(key) ?? []));
    const writers = new Set(gone.flatMap((item) => writer.get(item) ?? []));
    return [...writers].flatMap((by) => {
        const hidden = appends(by).filter(({ key, append }) =>
            reads.some((read) => read.key === key && !read.external.includes(append)),
        );
        return by.id === id || hidden.length === 0
            ? []
            : [{ kind: "torn", id, detail: `read a part of transaction ${by.id}, not ${hidden[0]?.append}` } as const];
    });
}

function lostUpdates(committed: Transaction[]): Violation[] {
    const first = new Map<string, number>();
    const violations: Violation[] = [];
    for (const transaction of committed) {
        const written = new Set(appends(transaction).map(({ key }) => key));
        const seen = new Map(readsOf(transaction).map(({ key, external }) => [key, external]));
        for (const [key, external] of seen) {
            if (!written.has(key)) {
                continue;
            }
            const state = `${key}: ${external.join(" ")}`;
            const other = first.get(state);
            if (other !== undefined) {
                const detail = `transactions ${other} and ${transaction.id} both read and changed list ${state}`;
                violations.push({ kind: "lost-update", id: transaction.id, detail });
            }
            first.set(state, transaction.id);
        }
    }
    return violations;
}

function dependencies(committed: Transaction[], final: Lists, { writer }: Writes, ids: Set<number>): DependencyGraph {
    const edges: Edge[] = [];
    const add = (from: number | undefined, to: number | undefined, kind: Dependency, key: number) => {
        if (from !== undefined && to !== undefined && from !== to && ids.has(from) && ids.has(to)) {
            edges.push({ from, to, kind, key });
        }
    };
    const by = (item: number | undefined) => (item === undefined ? undefined : writer.get(item)?.id);
    for (const [key, items] of final) {
        items.forEach((item, at) => add(by(items[at - 1]), by(item), "ww", key));
    }
    for (const transaction of committed) {
        for (const { key, external } of readsOf(transaction)) {
            add(by(external.at(-1)), transaction.id, "wr", key);
            const next = (final.get(key) ?? []).slice(external.length).find((item) => by(item) !== transaction.id);
            add(transaction.id, by(next), "rw", key);
        }
    }
    return new DependencyGraph(edges);
}

/** One report for each group of transactions that go round, of the strongest kind that it shows. */
function cycles(graph: DependencyGraph): Violation[] {
    const violations: Violation[] = [];
    const reported = new Set<number>();
    const whole = graph.components(["ww", "wr", "rw"]);
    const search = (kind: Violation["kind"], through: Dependency, over: Dependency[]) => {
        for (const edge of graph.edges.filter((candidate) => candidate.kind === through)) {
            const group = whole.get(edge.from);
            if (group === undefined || group !== whole.get(edge.to) || reported.has(group)) {
                continue;
            }
            const way = graph.path(edge.to, edge.from, over);
            if (way !== undefined) {
                reported.add(group);
                const detail = [edge, ...way].map(({ from, to, kind: how, key }) => `${from} -${how}(${key})-> ${to}`);
                violations.push({ kind, id: edge.from, detail: detail.join(", ") });
            }
        }
    };
    search("G0", "ww", ["ww"]);
    search("G1c", "wr", ["ww", "wr"]);
    search("G-single", "rw", ["ww", "wr"]);
    return violations;
}
