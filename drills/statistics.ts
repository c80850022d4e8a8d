/** Nearest-rank percentile: always a value that was measured. */
export function percentile(values: number[], percent: number): number {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
}

export interface Spread {
    p50: number;
    p95: number;
    max: number;
}

export const spread = (values: number[]): Spread => ({
    p50: percentile(values, 50),
    p95: percentile(values, 95),
    max: percentile(values, 100),
});
