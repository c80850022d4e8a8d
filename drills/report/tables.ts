import { catalogue } from "../faults/catalogue";
import type { FaultSummary } from "../judgement";
import type { Spread } from "../statistics";
import { markdownTable } from "./markdown";
import type { PublishedRun } from "./published-run";

const seconds = (value: number): string => value.toFixed(1);
const triple = (spread: Spread | undefined): string =>
    spread === undefined ? "–" : [spread.p50, spread.p95, spread.max].map(seconds).join(" / ");

/** For the README: what a reader asks first. */
export function headlineTable(run: PublishedRun): string {
    const rows = run.summaries.map(({ fault, imitates, rounds, outage, barSeconds, acknowledged, lost, verdict }) => [
        `\`${fault}\`: ${imitates}`,
        String(rounds),
        `${seconds(outage.p50)} / ${seconds(outage.max)}`,
        String(barSeconds),
        `${acknowledged} / ${lost}`,
        verdict,
    ]);
    const head = ["fault", "rounds", "outage p50 / max (s)", "bar (s)", "acknowledged / lost", "verdict"];
    return `${markdownTable(head, rows)}\n\n${about(run)}`;
}

/** For docs/measurements.md: everything of the run that fits a table. */
export function fullTable(run: PublishedRun): string {
    const rows = run.summaries.map((summary) => [
        `\`${summary.fault}\``,
        `${summary.rounds} (${summary.fullyJudged})`,
        triple(summary.outage),
        triple(summary.worstClient),
        triple(summary.redundancy),
        String(summary.acknowledged),
        [summary.lost, summary.anomalies, summary.twoPrimaries].join(" / "),
        String(summary.promotions),
        `${(100 * summary.stolenShare).toFixed(0)} %`,
        summary.verdict,
    ]);
    const spread = (what: string) => `${what}, p50 / p95 / max (s)`;
    const head = [
        ...["fault", "rounds (by every check)", spread("outage"), spread("worst client"), spread("redundant again")],
        ...["acknowledged", "lost / anomalies / two primaries", "promotions", "CPU denied, max", "verdict"],
    ];
    return [markdownTable(head, rows), about(run), ...notes(run)].join("\n\n");
}

const about = (run: PublishedRun): string =>
    `Run \`${run.name}\` of ${days(run)}, verdict ${run.verdict}, ${extent(run)}: ${run.writers} writers, host of ${run.host.cores} cores and ` +
    `${run.host.memoryGiB} GiB, ttl ${run.timers.ttl} s${madeAt(run)}. Made by \`make publish-drills RUN=${run.name}\`; do not edit.`;

/** Of how many faults it tells, and of which it does not. */
function extent({ summaries }: PublishedRun): string {
    const played = new Set(summaries.map(({ fault }) => fault));
    const missing = catalogue.filter(({ name }) => !played.has(name)).map(({ name }) => `\`${name}\``);
    const not = missing.length === 0 ? "" : ` (without ${missing.join(", ")})`;
    return `${played.size} of ${catalogue.length} faults${not}`;
}

/** The first day and, of a run in several sittings, the last. */
function days({ begun, rounds = [] }: PublishedRun): string {
    const all = [begun, ...rounds.map((round) => round.begun)].map((moment) => moment.slice(0, 10)).sort();
    const [first, last] = [all[0], all.at(-1)];
    return first === last ? `${first}` : `${first} to ${last}`;
}

/** The revisions, each with how many rounds were made with it where that was kept. */
function madeAt({ revisions, rounds = [] }: PublishedRun): string {
    if (revisions === undefined) return "";
    const counted = revisions.map((revision) => {
        const count = rounds.filter((round) => round.revision === revision).length;
        return count === 0 ? revision : `${revision} (${count} rounds)`;
    });
    return `, revision ${counted.join(", ")}`;
}

const list = (title: string, items: string[]): string[] =>
    items.length === 0 ? [] : [`${title}\n\n${items.map((item) => `- ${item}`).join("\n")}`];

const notes = ({ summaries, skipped, crashed, withdrawn = [] }: PublishedRun): string[] => [
    ...list(
        "What was not kept:",
        summaries.flatMap(({ fault, reasons }: FaultSummary) =>
            reasons.map((reason) => `\`${fault}\`: ${oneLine(reason)}`),
        ),
    ),
    ...list(
        "Rounds that did not end:",
        crashed.map(({ fault, message }) => `\`${fault}\`: ${oneLine(message)}`),
    ),
    ...list(
        "Results that were taken out by hand:",
        withdrawn.map(({ fault, begun, reason }) => `\`${fault}\`, ${begun}: ${oneLine(reason)}`),
    ),
    ...list(
        "Skipped:",
        skipped.map(({ fault, reason }) => `\`${fault}\`: ${oneLine(reason)}`),
    ),
];

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

/** The text with what stands between the marks of `id` replaced. */
export function replaceBetween(text: string, id: string, content: string): string {
    const [begin, end] = [`<!-- begin ${id} -->`, `<!-- end ${id} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) {
        throw new Error(`the text has no marks ${begin} and ${end}`);
    }
    return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}
