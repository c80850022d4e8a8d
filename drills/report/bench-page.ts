import type { Comparison, Ratio } from "../bench/comparison";
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

/** A benchmark as one page that needs nothing else. */
export function renderBenchPage(run: BenchRun): string {
    const title = `Benchmark ${escapeHtml(run.name)}`;
    const facts =
        `stack ${run.stack}, begun ${run.begun.slice(0, 16).replace("T", " ")} UTC, ${run.repeats} repeats of ${run.seconds} s in ` +
        `alternation, scale ${run.scale}; host of ${run.host.cores} cores and ${run.host.memoryGiB} GiB, denied up to ` +
        `${(100 * run.stolenShare).toFixed(0)} % of its CPU time. Ratios: median (least to most) over the repeats`;
    const loads = [...new Set(run.comparisons.map(({ load }) => load))];
    const body = [
        element("h1", title),
        element("p", escapeHtml(facts), { class: "quiet" }),
        ...loads.map((load) => {
            const rows = run.comparisons.filter((row) => row.load === load);
            return element("h3", escapeHtml(load)) + element("div", bars(rows), { class: "round" });
        }),
        element("div", htmlTable(benchHead, benchRows(run.comparisons)), { class: "scroll" }),
    ];
    const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style>`;
    return `<!doctype html>\n<html lang="en"><head>${head}</head><body>\n${body.join("\n")}\n</body></html>\n`;
}

const height = 150;
const groupWidth = 180;
const barWidth = 52;

/** Transactions per second, direct beside HAProxy, a pair for each number of clients. */
function bars(rows: Comparison[]): string {
    const most = Math.max(
        1,
        ...rows.flatMap((row) => [row.direct.transactionsPerSecond, row.haproxy.transactionsPerSecond]),
    );
    const bar = (value: number, x: number, lane: string): string => {
        const extent = Math.round((value / most) * (height - 40));
        const y = height - 20 - extent;
        return (
            `<rect class="lane-${lane}" x="${x}" y="${y}" width="${barWidth}" height="${extent}"/>` +
            `<text x="${x + barWidth / 2}" y="${y - 4}" text-anchor="middle">${value.toFixed(0)}</text>`
        );
    };
    const groups = rows.map((row, index) => {
        const x = 20 + index * groupWidth;
        const middle = x + barWidth + 4;
        return (
            bar(row.direct.transactionsPerSecond, x, "replica") +
            bar(row.haproxy.transactionsPerSecond, x + barWidth + 8, "primary") +
            `<text x="${middle}" y="${height - 4}" text-anchor="middle">${row.clients} clients</text>`
        );
    });
    const svg = element("svg", groups.join(""), {
        viewBox: `0 0 ${Math.max(4, rows.length) * groupWidth} ${height}`,
        role: "img",
        "aria-label": "transactions per second, direct and through HAProxy",
    });
    const legend = [
        ["--replica", "direct to the primary"],
        ["--primary", "through HAProxy"],
    ].map(([colour, text]) => `<span><i style="background:var(${colour})"></i>${text}, transactions per second</span>`);
    return svg + element("p", legend.join(""), { class: "legend quiet" });
}
