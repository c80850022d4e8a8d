import { compare, type Comparison, type Ratio, type Ratios, type Side } from "../bench/comparison";
import type { BenchRun, PublishedBench } from "../bench/run";
import { markdownTable } from "./markdown";
import { element, escapeHtml, htmlTable, htmlPage } from "./html";

const ratio = ({ median, least, most }: Ratio): string =>
    `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;

const percentiles = ({ p50, p95, p99 }: Side): string => [p50, p95, p99].map((value) => value.toFixed(1)).join(" / ");

const parts = (values: Record<string, number>, unit = 1): string =>
    Object.entries(values)
        .map(([part, value]) => `${part} ${(value / unit).toFixed(2)}`)
        .join(", ");

const columns: [head: string, cell: (row: Comparison) => string][] = [
    ["load", ({ load }) => load],
    ["clients", ({ clients }) => String(clients)],
    ["direct (tps)", ({ direct }) => direct.transactionsPerSecond.toFixed(0)],
    ["HAProxy (tps)", ({ haproxy }) => haproxy.transactionsPerSecond.toFixed(0)],
    ["asynchronous (tps)", ({ asynchronous }) => asynchronous?.transactionsPerSecond.toFixed(0) ?? ""],
    ["HAProxy / direct", ({ proxied }) => ratio(proxied.throughput)],
    ["synchronous / asynchronous", ({ synchronous }) => (synchronous ? ratio(synchronous.throughput) : "")],
    ["p50 / p95 / p99 direct (ms)", ({ direct }) => percentiles(direct)],
    ["through HAProxy", ({ haproxy }) => percentiles(haproxy)],
    ["asynchronous", ({ asynchronous }) => (asynchronous ? percentiles(asynchronous) : "")],
    ["p99, HAProxy / direct", ({ proxied }) => ratio(proxied.latency99)],
    ["cores", ({ cores }) => parts(cores)],
    ["memory (GiB)", ({ memory }) => parts(memory, 2 ** 30)],
    ["CPU denied, max", ({ stolenShare }) => `${(100 * stolenShare).toFixed(0)} %`],
];

export const benchHead = columns.map(([head]) => head);

export const benchRows = (comparisons: Comparison[]): string[][] =>
    comparisons.map((row) => columns.map(([, cell]) => cell(row)));

const factsOf = (run: PublishedBench): string =>
    `at ${run.revision}, begun ${run.begun.slice(0, 16).replace("T", " ")} UTC, ${run.repeats} repeats of ${run.seconds} s in ` +
    `alternation, ${run.brokenOff.length} broken off and made again; host of ${run.host.cores} cores and ${run.host.memoryGiB} GiB. ` +
    "Asynchronous is through HAProxy, too, and read-only is at the read-write entry. Rates and latencies: medians; ratios: " +
    "median (least to most), of neighbouring measurements; cores and memory (of the file cache only what was used lately): over all " +
    `machines but the object store's, through HAProxy. TPC-B with more clients than its scale, which is ${run.scale}, waits for rows ` +
    "that others hold";

/** For docs/measurements.md. */
export const benchTable = (run: PublishedBench): string =>
    `${markdownTable(benchHead, benchRows(compare(run.measurements)))}\n\nRun \`${run.name}\`, ${factsOf(run)}. Made by \`make publish-bench ` +
    `RUN=${run.name}\`; do not edit.`;

/** A benchmark as one page that needs nothing else. */
export function renderBenchPage(run: BenchRun): string {
    const title = `Benchmark ${escapeHtml(run.name)}`;
    const facts = `stack ${run.stack}, ${factsOf(run)}`;
    const comparisons = compare(run.measurements);
    const loads = [...new Set(comparisons.map(({ load }) => load))];
    const body = [
        element("h1", title),
        element("p", escapeHtml(facts), { class: "quiet" }),
        ...loads.map((load) => {
            const rows = comparisons.filter((row) => row.load === load);
            const drawn = plots.map((plot) => element("div", drawPlot(plot, rows), { class: "round" }));
            return element("h3", escapeHtml(load)) + element("div", drawn.join(""), { class: "plots" });
        }),
        element("div", htmlTable(benchHead, benchRows(comparisons)), { class: "scroll" }),
    ];
    return htmlPage(title, body);
}

const height = 150;
const groupWidth = 180;
const barWidth = 52;

interface Bar {
    value: number;
    /** Over the repeats, where it is a ratio. */
    least?: number;
    most?: number;
}

interface Plot {
    unit: string;
    /** Digits after the point. */
    digits: number;
    /** Two bars for each number of clients; a load that writes nothing lacks one of some. */
    pair: [Series, Series];
}

interface Series {
    title: string;
    of: (row: Comparison) => Bar | undefined;
}

const colours = ["replica", "primary"] as const;
const plain = (value: number): Bar => ({ value });
const spreadOf = ({ median, least, most }: Ratio): Bar => ({ value: median, least, most });

const ratioPlot = (what: string, of: (ratios: Ratios) => Ratio): Plot => ({
    unit: `Ratio of ${what}, least to most over the repeats`,
    digits: 2,
    pair: [
        { title: "HAProxy / direct", of: ({ proxied }) => spreadOf(of(proxied)) },
        { title: "synchronous / asynchronous", of: ({ synchronous }) => synchronous && spreadOf(of(synchronous)) },
    ],
});

const plots: Plot[] = [
    {
        unit: "Transactions per second",
        digits: 0,
        pair: [
            { title: "direct to the primary", of: ({ direct }) => plain(direct.transactionsPerSecond) },
            { title: "through HAProxy", of: ({ haproxy }) => plain(haproxy.transactionsPerSecond) },
        ],
    },
    {
        unit: "Latency in ms, 99th percentile",
        digits: 1,
        pair: [
            { title: "direct to the primary", of: ({ direct }) => plain(direct.p99) },
            { title: "through HAProxy", of: ({ haproxy }) => plain(haproxy.p99) },
        ],
    },
    ratioPlot("transactions per second", ({ throughput }) => throughput),
    ratioPlot("the 99th percentiles", ({ latency99 }) => latency99),
    {
        unit: "Cores over all machines, through HAProxy",
        digits: 2,
        pair: [
            { title: "PostgreSQL", of: ({ cores }) => plain(cores["PostgreSQL"] ?? 0) },
            { title: "HAProxy", of: ({ cores }) => plain(cores["HAProxy"] ?? 0) },
        ],
    },
];

function drawPlot({ unit, digits, pair }: Plot, rows: Comparison[]): string {
    const all = rows.flatMap((row) => pair.flatMap(({ of }) => of(row) ?? []));
    const top = Math.max(...all.map(({ value, most = 0 }) => Math.max(value, most)), Number.MIN_VALUE);
    const scaled = (value: number): number => height - 20 - Math.round((value / top) * (height - 40));
    const bar = ({ value, least, most }: Bar, x: number, lane: string): string => {
        const [y, middle] = [scaled(value), x + barWidth / 2];
        const whisker =
            least === undefined || most === undefined
                ? ""
                : `<line x1="${middle}" x2="${middle}" y1="${scaled(least)}" y2="${scaled(most)}" stroke="currentColor"/>`;
        return (
            `<rect class="lane-${lane}" x="${x}" y="${y}" width="${barWidth}" height="${height - 20 - y}"/>${whisker}` +
            `<text x="${middle}" y="${scaled(most ?? value) - 4}" text-anchor="middle">${value.toFixed(digits)}</text>`
        );
    };
    const groups = rows.map((row, index) => {
        const x = 20 + index * groupWidth;
        const bars = pair.map(({ of }, place) => {
            const found = of(row);
            return found === undefined ? "" : bar(found, x + place * (barWidth + 8), colours[place as 0 | 1]);
        });
        const label = `<text x="${x + barWidth + 4}" y="${height - 4}" text-anchor="middle">${row.clients} clients</text>`;
        return bars.join("") + label;
    });
    const svg = element("svg", groups.join(""), {
        viewBox: `0 0 ${Math.max(4, rows.length) * groupWidth} ${height}`,
        role: "img",
        "aria-label": `${pair.map(({ title }) => title).join(" and ")}, ${unit}`,
    });
    const legend = pair.map(({ title, of }, place) =>
        rows.some((row) => of(row) !== undefined)
            ? `<span><i style="background:var(--${colours[place]})"></i>${title}</span>`
            : "",
    );
    return element("p", unit) + svg + element("p", legend.join(""), { class: "legend quiet" });
}
