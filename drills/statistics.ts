/** Nearest-rank percentile: always a value that was measured. */
export function percentile(values: number[], percent: number): number {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? NaN;
}

/** Of an even number of values the mean of the two in the middle. */
export function median(values: number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
    return middle.reduce((sum, value) => sum + value, 0) / middle.length;
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
