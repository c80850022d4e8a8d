import type { FaultSummary } from "../judgement";
import type { RoundResult } from "../round";
import type { DrillRun } from "../run";
import { element, escapeHtml, htmlTable, htmlPage } from "./html";
import { timelineSvg } from "./timeline-svg";

const seconds = (value: number): string => value.toFixed(2);

const badge = (verdict: string): string => {
    const kind = verdict === "not judged" ? "open" : verdict;
    return element("span", escapeHtml(verdict), { class: `badge ${kind}` });
};

/** A run as one page that needs nothing else: no script, no font, no network. */
export function renderPage(run: DrillRun): string {
    const title = `Drill ${escapeHtml(run.name)}`;
    const body = [
        element("h1", `${title} ${badge(run.verdict)}`),
        element("p", escapeHtml(facts(run)), { class: "quiet" }),
        element("h2", "Faults"),
        element("div", summaryTable(run.summaries), { class: "scroll" }),
        legend,
        ...run.summaries.map((summary) => faultSection(summary, run)),
        ...listOf(
            "Rounds that did not end",
            run.crashed.map(({ fault, message }) => `${fault}: ${message}`),
        ),
        ...listOf(
            "Results that were taken out by hand",
            (run.withdrawn ?? []).map(({ fault, begun, reason }) => `${fault}, ${begun}: ${reason}`),
        ),
        ...listOf(
            "Skipped",
            run.skipped.map(({ fault, reason }) => `${fault}: ${reason}`),
        ),
    ];
    return htmlPage(title, body);
}

const facts = ({ stack, begun, host, writers, timers, rounds, revisions }: DrillRun): string =>
    `stack ${stack}, begun ${begun.slice(0, 16).replace("T", " ")} UTC, ${rounds.length} rounds under ${writers} writers, ` +
    `revision ${revisions.join(", ")}; ` +
    `host of ${host.cores} cores and ${host.memoryGiB} GiB; ttl ${timers.ttl} s, wal_sender_timeout ${timers.walSenderTimeout} s`;

const summaryTable = (summaries: FaultSummary[]): string =>
    htmlTable(
        [
            ...[
                "fault",
                "verdict",
                "rounds",
                "outage p50 (s)",
                "p95",
                "max",
                "bar",
                "worst client",
                "whole again, p95",
            ],
            ...["acknow- ledged", "lost", "anomalies", "two primaries", "promo- tions"],
        ],
        summaries.map((summary) => [
            `<a href="#${escapeHtml(summary.fault)}">${escapeHtml(summary.fault)}</a>`,
            badge(summary.verdict),
            String(summary.rounds),
            ...[summary.outage.p50, summary.outage.p95, summary.outage.max].map(seconds),
            String(summary.barSeconds),
            seconds(summary.worstClient.max),
            summary.redundancy === undefined ? "–" : seconds(summary.redundancy.p95),
            ...[summary.acknowledged, summary.lost, summary.anomalies, summary.twoPrimaries, summary.promotions].map(
                String,
            ),
        ]),
    );

const colours = [
    ["--write", "acknowledgements per 100 ms"],
    ["--primary", "accepts writes"],
    ["--replica", "read-only"],
    ["--waiting", "takes itself for the primary, acknowledges nothing"],
    ["--refusing", "refuses"],
    ["--silent", "does not answer"],
];

const legend = element(
    "p",
    colours.map(([colour, text]) => `<span><i style="background:var(${colour})"></i>${text}</span>`).join(""),
    { class: "legend quiet" },
);

function faultSection(summary: FaultSummary, run: DrillRun): string {
    const rounds = run.rounds.filter(({ fault }) => fault === summary.fault);
    return [
        element("h3", `${escapeHtml(summary.fault)} ${badge(summary.verdict)}`, { id: summary.fault }),
        element("p", `${escapeHtml(capitalised(summary.imitates))}.`, { class: "quiet" }),
        ...listOf(undefined, summary.reasons),
        ...rounds.map(roundSection),
    ].join("\n");
}

const roundSection = (round: RoundResult, index: number): string =>
    element("div", element("p", escapeHtml(`Round ${index + 1}: ${describe(round)}`)) + picture(round), {
        class: "round",
    });

const picture = ({ timeline }: RoundResult): string =>
    timeline === undefined
        ? element("p", "Of an earlier sitting; no picture is kept.", { class: "quiet" })
        : timelineSvg(timeline);

const describe = (round: RoundResult): string =>
    `${round.target}. Outage ${seconds(round.outageSeconds)} s, worst client ${seconds(round.worstClientSeconds)} s, ` +
    `redundant after ${seconds(round.redundancySeconds)} s; ${round.acknowledged} acknowledged, ${round.failed} refused, ` +
    `${round.unknown} unknown, ${round.lost} lost; ${round.primary.before} → ${round.primary.after}; ` +
    `${(100 * round.stolenShare).toFixed(0)} % of the host's CPU time denied, ` +
    `the drill itself held up by ${seconds(round.ownDelaySeconds)} s`;

const capitalised = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const listOf = (title: string | undefined, items: string[]): string[] =>
    items.length === 0
        ? []
        : [
              ...(title === undefined ? [] : [element("h2", title)]),
              element("ul", items.map((item) => element("li", escapeHtml(item))).join("")),
          ];
