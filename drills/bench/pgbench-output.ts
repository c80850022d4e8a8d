import type { Measurement } from "./load";

/** What `pgbench` and the percentiles of its log say. */
export type PgbenchResult = Pick<Measurement, "transactionsPerSecond" | "latency">;

const numberIn = (text: string, pattern: RegExp): number => {
    const value = Number(pattern.exec(text)?.[1]);
    if (!Number.isFinite(value)) {
        throw new Error(`pgbench's output has no ${pattern.source}:\n${text.trim().split("\n").slice(-15).join("\n")}`);
    }
    return value;
};

/** Connecting is left out, as applications with a pool leave it out. None of these loads has a transaction that may fail. */
export function parsePgbench(text: string): PgbenchResult {
    const failed = numberIn(text, /^number of failed transactions: (\d+)/m);
    if (failed > 0) {
        throw new Error(`pgbench: ${failed} transactions failed`);
    }
    const latency = (percent: number) => numberIn(text, new RegExp(`^p${percent} (\\d+)$`, "m")) / 1000;
    return {
        transactionsPerSecond: numberIn(text, /^tps = ([\d.]+)/m),
        latency: { p50: latency(50), p95: latency(95), p99: latency(99) },
    };
}
