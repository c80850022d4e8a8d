import assert from "node:assert/strict";
import { compare } from "../../../drills/bench/comparison";
import { casesOf, loads, type Measurement } from "../../../drills/bench/load";
import { sum } from "../../../drills/bench/parts";
import { parsePgbench } from "../../../drills/bench/pgbench-output";
import { assertComplete, type BenchRun } from "../../../drills/bench/run";
import { renderBenchPage } from "../../../drills/report/bench-page";

const measurement = (path: Measurement["path"], durability: Measurement["durability"], tps: number): Measurement => ({
    ...{ load: "tpcb-like", clients: 8, path, durability, transactionsPerSecond: tps, stolenShare: 0 },
    latency: { p50: 1, p95: 2, p99: path === "direct" ? 10 : 11 },
    cores: { HAProxy: 0.1 },
    memory: { HAProxy: 1e6 },
});

const run = (measurements: Measurement[]): BenchRun => ({
    ...{ name: "a <run>", stack: "dev", revision: "abc", begun: "2026-01-01T00:00:00.000Z" },
    ...{ host: { cores: 2, memoryGiB: 24 }, loads: ["tpcb-like"], clients: [8], seconds: 10, repeats: 1, scale: 1 },
    ...{ measurements, brokenOff: [] },
});

describe("benchmark", () => {
    it("reads throughput and percentiles, and refuses an output without them", () => {
        const text =
            "number of failed transactions: 0 (0.000%)\ntps = 123.456 (without initial connection time)\np50 1500\np95 2500\np99 9000\n";
        assert.deepEqual(parsePgbench(text), {
            transactionsPerSecond: 123.456,
            latency: { p50: 1.5, p95: 2.5, p99: 9 },
        });
        assert.throws(() => parsePgbench("pgbench: error: connection failed"), /connection failed/);
        assert.throws(() => parsePgbench(text.replace("transactions: 0", "transactions: 3")), /3 transactions failed/);
    });

    it("runs what it compares side by side, and turns the order round in every other repeat", () => {
        const [load] = loads;
        assert.ok(load !== undefined);
        const order = (repeat: number) =>
            casesOf({ load, clients: 8 }, repeat).map(({ path, durability }) => `${path} ${durability}`);
        assert.deepEqual(order(0), ["direct synchronous", "haproxy synchronous", "haproxy asynchronous"]);
        assert.deepEqual(order(1), order(0).reverse());
    });

    it("compares each measurement with the one beside it, and tells the spread", () => {
        const [row] = compare([
            measurement("direct", "synchronous", 100),
            measurement("haproxy", "synchronous", 95),
            measurement("haproxy", "asynchronous", 190),
            measurement("haproxy", "asynchronous", 100),
            measurement("haproxy", "synchronous", 100),
            measurement("direct", "synchronous", 200),
        ]);
        assert.deepEqual(row?.proxied.throughput, { median: 0.725, least: 0.5, most: 0.95 });
        assert.deepEqual(row?.synchronous?.throughput, { median: 0.75, least: 0.5, most: 1 });
        assert.deepEqual(row?.proxied.latency99, { median: 1.1, least: 1.1, most: 1.1 });
    });

    it("shows every ratio with its spread, and nothing where a load has no such ratio", () => {
        const page = renderBenchPage(
            run([
                measurement("direct", "synchronous", 100),
                measurement("haproxy", "synchronous", 95),
                { ...measurement("direct", "synchronous", 100), load: "read-only" },
                { ...measurement("haproxy", "synchronous", 90), load: "read-only" },
            ]),
        );
        assert.equal(page.match(/<svg /g)?.length, 10);
        assert.equal(page.match(/<line /g)?.length, 4);
        assert.doesNotMatch(page, /NaN|undefined|<script|https?:/);
    });

    it("publishes no run that ended early", () => {
        const sides = [
            measurement("direct", "synchronous", 100),
            measurement("haproxy", "synchronous", 95),
            measurement("haproxy", "asynchronous", 190),
        ];
        assertComplete(run(sides));
        assert.throws(() => assertComplete({ ...run(sides), repeats: 2 }), /3 of 6 measurements/);
    });

    it("adds up what each part uses on every machine", () => {
        const one = { cpuMicroseconds: 1, memory: 10 };
        assert.deepEqual(sum([{ etcd: one, HAProxy: one }, { etcd: one }]), {
            etcd: { cpuMicroseconds: 2, memory: 20 },
            HAProxy: one,
        });
    });
});
