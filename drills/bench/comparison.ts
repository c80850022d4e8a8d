import { median } from "../statistics";
import type { Latency, Load, Measurement } from "./load";

/** A ratio over the repeats of an alternation: each side against the other that ran right beside it. */
export interface Ratio {
    median: number;
    least: number;
    most: number;
}

/** One side against another. */
export interface Ratios {
    throughput: Ratio;
    latency99: Ratio;
}

/** Medians over the repeats. */
export interface Side extends Latency {
    transactionsPerSecond: number;
}

export interface Comparison {
    load: Load["name"];
    clients: number;
    direct: Side;
    haproxy: Side;
    /** HAProxy / direct. */
    proxied: Ratios;
    /** Through HAProxy, too. Undefined for loads that write nothing, and so is what follows. */
    asynchronous?: Side;
    /** Synchronous / asynchronous. */
    synchronous?: Ratios;
    /** While it ran through HAProxy. */
    cores: Record<string, number>;
    memory: Record<string, number>;
    /** Largest share of CPU time that the host was denied in a measurement of these. */
    stolenShare: number;
}

/** Measurements in the order in which they were made: the nth of each side belong together. */
export function compare(measurements: Measurement[]): Comparison[] {
    const keyOf = ({ load, clients }: Measurement): string => `${load} ${clients}`;
    const keys = [...new Set(measurements.map(keyOf))];
    return keys.map((key) => compareGroup(measurements.filter((measurement) => keyOf(measurement) === key)));
}

function compareGroup(group: Measurement[]): Comparison {
    const side = (path: Measurement["path"], durability: Measurement["durability"]) =>
        group.filter((measurement) => measurement.path === path && measurement.durability === durability);
    const direct = side("direct", "synchronous");
    const haproxy = side("haproxy", "synchronous");
    const asynchronous = side("haproxy", "asynchronous");
    const [{ load, clients }] = group as [Measurement];
    return {
        ...{ load, clients, direct: mediansOf(direct), haproxy: mediansOf(haproxy) },
        proxied: ratiosOf(haproxy, direct),
        ...(asynchronous.length > 0
            ? { asynchronous: mediansOf(asynchronous), synchronous: ratiosOf(haproxy, asynchronous) }
            : {}),
        cores: byPart(haproxy, "cores"),
        memory: byPart(haproxy, "memory"),
        stolenShare: Math.max(...group.map(({ stolenShare }) => stolenShare)),
    };
}

function mediansOf(measurements: Measurement[]): Side {
    const over = (value: (measurement: Measurement) => number) => median(measurements.map(value));
    return {
        transactionsPerSecond: over(({ transactionsPerSecond }) => transactionsPerSecond),
        p50: over(({ latency }) => latency.p50),
        p95: over(({ latency }) => latency.p95),
        p99: over(({ latency }) => latency.p99),
    };
}

function ratiosOf(side: Measurement[], other: Measurement[]): Ratios {
    const ratio = (value: (measurement: Measurement) => number): Ratio => {
        const values = side.flatMap((measurement, index) => {
            const beside = other[index];
            return beside === undefined ? [] : [value(measurement) / value(beside)];
        });
        return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
    };
    return {
        throughput: ratio(({ transactionsPerSecond }) => transactionsPerSecond),
        latency99: ratio(({ latency }) => latency.p99),
    };
}

function byPart(measurements: Measurement[], of: "cores" | "memory"): Record<string, number> {
    const parts = Object.keys(measurements[0]?.[of] ?? {}).sort();
    const values = (part: string) => measurements.map((measurement) => measurement[of][part] ?? NaN);
    return Object.fromEntries(parts.map((part) => [part, median(values(part))]));
}
