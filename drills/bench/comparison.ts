import { percentile } from "../statistics";
import type { Load, Measurement } from "./load";

/** A ratio over the repeats of an alternation: each side against the other that ran right beside it. */
export interface Ratio {
    median: number;
    least: number;
    most: number;
}

export interface Comparison {
    load: Load["name"];
    clients: number;
    /** Medians over the repeats. */
    direct: { transactionsPerSecond: number; p99: number };
    haproxy: { transactionsPerSecond: number; p50: number; p95: number; p99: number };
    /** Through HAProxy against direct. */
    throughput: Ratio;
    latency99: Ratio;
    /** Synchronous against asynchronous, both through HAProxy; undefined for loads that write nothing. */
    synchronous?: Ratio;
    /** While it ran through HAProxy. */
    cores: Record<string, number>;
    memory: Record<string, number>;
}

const median = (values: number[]): number => percentile(values, 50);

const ratioOf = (values: number[]): Ratio => ({
    median: median(values),
    least: Math.min(...values),
    most: Math.max(...values),
});

/** Measurements in the order in which they were made: the nth of each side belong together. */
export function compare(measurements: Measurement[]): Comparison[] {
    const keys = [...new Set(measurements.map(({ load, clients }) => `${load} ${clients}`))];
    return keys.map((key) => {
        const group = measurements.filter(({ load, clients }) => `${load} ${clients}` === key);
        const side = (path: Measurement["path"], durability: Measurement["durability"]) =>
            group.filter((measurement) => measurement.path === path && measurement.durability === durability);
        const direct = side("direct", "synchronous");
        const haproxy = side("haproxy", "synchronous");
        const asynchronous = side("haproxy", "asynchronous");
        const [first] = group as [Measurement];
        const tps = ({ transactionsPerSecond }: Measurement): number => transactionsPerSecond;
        const paired = (of: Measurement[], against: Measurement[], value: (measurement: Measurement) => number) =>
            ratioOf(
                of.flatMap((measurement, index) => {
                    const other = against[index];
                    return other === undefined ? [] : [value(measurement) / value(other)];
                }),
            );
        const medians = (of: Measurement[], value: (measurement: Measurement) => number) => median(of.map(value));
        const byPart = (of: "cores" | "memory") =>
            Object.fromEntries(
                Object.keys(haproxy[0]?.[of] ?? {})
                    .sort()
                    .map((part) => [part, medians(haproxy, (measurement) => measurement[of][part] ?? 0)]),
            );
        return {
            load: first.load,
            clients: first.clients,
            direct: {
                transactionsPerSecond: medians(direct, tps),
                p99: medians(direct, ({ latency }) => latency.p99),
            },
            haproxy: {
                transactionsPerSecond: medians(haproxy, tps),
                p50: medians(haproxy, ({ latency }) => latency.p50),
                p95: medians(haproxy, ({ latency }) => latency.p95),
                p99: medians(haproxy, ({ latency }) => latency.p99),
            },
            throughput: paired(haproxy, direct, tps),
            latency99: paired(haproxy, direct, ({ latency }) => latency.p99),
            ...(asynchronous.length > 0 ? { synchronous: paired(haproxy, asynchronous, tps) } : {}),
            cores: byPart("cores"),
            memory: byPart("memory"),
        };
    });
}
