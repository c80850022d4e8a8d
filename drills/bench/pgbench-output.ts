/** What `pgbench` and the percentiles of its log say. */
export interface PgbenchResult {
    transactionsPerSecond: number;
    failed: number;
    latency: { p50: number; p95: number; p99: number };
}

const numberIn = (text: string, pattern: RegExp): number => {
    const value = Number(pattern.exec(text)?.[1]);
    if (!Number.isFinite(value)) {
        throw new Error(`pgbench's output has no ${pattern.source}:\n${text.trim().split("\n").slice(-15).join("\n")}`);
    }
    return value;
};

/** Connecting is left out, as applications with a pool leave it out. */
export function parsePgbench(text: string): PgbenchResult {
    const latency = (percent: number) => numberIn(text, new RegExp(`^p${percent} (\\d+)$`, "m")) / 1000;
    return {
        transactionsPerSecond: numberIn(text, /^tps = ([\d.]+)/m),
        failed: numberIn(text, /^number of failed transactions: (\d+)/m),
        latency: { p50: latency(50), p95: latency(95), p99: latency(99) },
    };
}
