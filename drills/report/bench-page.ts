import type { Comparison, Ratio } from "../bench/comparison";
import { markdownTable } from "./markdown";
import { element, escapeHtml, htmlTable } from "./html";
import { style } from "./style";

export interface BenchRun {
    name: string;
    stack: string;
    begun: string;
    host: { cores: number; memoryGiB: number };
    seconds: number;
    repeats: number;
    scale: number;
    comparisons: Comparison[];
    /** Largest share of CPU time that the host was denied in one measurement. */
    stolenShare: number;
}

const ratio = ({ median, least, most }: Ratio): string =>
    `${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;

export const benchHead = [
    ...["load", "clients", "direct (tps)", "HAProxy (tps)", "HAProxy / direct", "p50 / p95 / p99 (ms)"],
    ...["p99, HAProxy / direct", "synchronous / asynchronous", "cores", "memory (GiB)"],
];

export const benchRows = (comparisons: Comparison[]): string[][] =>
    comparisons.map((row) => [
        row.load,
        String(row.clients),
        row.direct.transactionsPerSecond.toFixed(0),
        row.haproxy.transactionsPerSecond.toFixed(0),
        ratio(row.throughput),
        [row.haproxy.p50, row.haproxy.p95, row.haproxy.p99].map((value) => value.toFixed(1)).join(" / "),
        ratio(row.latency99),
        row.synchronous === undefined ? "" : ratio(row.synchronous),
        Object.entries(row.cores)
            .map(([part, cores]) => `${part} ${cores.toFixed(2)}`)
            .join(", "),
        Object.entries(row.memory)
            .map(([part, bytes]) => `${part} ${(bytes / 2 ** 30).toFixed(2)}`)
            .join(", "),
    ]);

const factsOf = (run: Omit<BenchRun, "stack">): string =>
    `begun ${run.begun.slice(0, 16).replace("T", " ")} UTC, ${run.repeats} repeats of ${run.seconds} s in alternation, scale ` +
    `${run.scale}; host of ${run.host.cores} cores and ${run.host.memoryGiB} GiB, denied up to ` +
    `${(100 * run.stolenShare).toFixed(0)} % of its CPU time in a measurement. Ratios: median (least to most) over the repeats, of ` +
    "neighbouring measurements; cores and memory (without file cache): over all machines, while it ran through HAProxy";

/** For docs/measurements.md. */
export const benchTable = (run: Omit<BenchRun, "stack">): string =>
    `${markdownTable(benchHead, benchRows(run.comparisons))}\n\nRun \`${run.name}\`, ${factsOf(run)}. Made by \`make publish-bench ` +
    `RUN=${run.name}\`; do not edit.`;

/** A benchmark as one page that needs nothing else. */
export function renderBenchPage(run: BenchRun): string {
    const title = `Benchmark ${escapeHtml(run.name)}`;
    const facts = `stack ${run.stack}, ${factsOf(run)}`;
    const loads = [...new Set(run.comparisons.map(({ load }) => load))];
    const body = [
        element("h1", title),
        element("p", escapeHtml(facts), { class: "quiet" }),
        ...loads.map((load) => {
            const rows = run.comparisons.filter((row) => row.load === load);
            const drawn = plots.map((plot) => element("div", drawPlot(plot, rows), { class: "round" }));
            return element("h3", escapeHtml(load)) + drawn.join("");
        }),
        element("div", htmlTable(benchHead, benchRows(run.comparisons)), { class: "scroll" }),
    ];
    const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style>`;
    return `<!doctype html>\n<html lang="en"><head>${head}</head><body>\n${body.join("\n")}\n</body></html>\n`;
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

const plots: Plot[] = [
    {
        unit: "transactions per second",
        digits: 0,
        pair: [
            { title: "direct to the primary", of: ({ direct }) => plain(direct.transactionsPerSecond) },
            { title: "through HAProxy", of: ({ haproxy }) => plain(haproxy.transactionsPerSecond) },
        ],
    },
    {
        unit: "ms, 99th percentile",
        digits: 1,
        pair: [
            { title: "direct to the primary", of: ({ direct }) => plain(direct.p99) },
            { title: "through HAProxy", of: ({ haproxy }) => plain(haproxy.p99) },
        ],
    },
    {
        unit: "ratio of transactions per second, least to most over the repeats",
        digits: 2,
        pair: [
            { title: "HAProxy / direct", of: ({ throughput }) => spreadOf(throughput) },
            { title: "synchronous / asynchronous", of: ({ synchronous }) => synchronous && spreadOf(synchronous) },
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
    const legend = pair.map(
        ({ title }, place) => `<span><i style="background:var(--${colours[place]})"></i>${title}, ${unit}</span>`,
    );
    return svg + element("p", legend.join(""), { class: "legend quiet" });
}
