import type { RecordedTimeline } from "../timeline";
import { element, escapeHtml } from "./html";

const left = 86;
const width = 900;
const plotHeight = 90;
const laneHeight = 14;
const laneGap = 4;
const axisHeight = 22;
const topSpace = 16;
const labelWidth = 40;

/** A round as a picture: acknowledgements, what was done when, and what each instance said of itself. */
export function timelineSvg({ binMs, acknowledged, marks, roles }: RecordedTimeline): string {
    const totalMs = Math.max(binMs, acknowledged.length * binMs);
    const x = (ms: number): number => Math.round((left + ((width - left) * Math.min(ms, totalMs)) / totalMs) * 10) / 10;
    const instances = [...new Set(roles.map(({ instance }) => instance))].sort();
    const lanesTop = topSpace + plotHeight + 10;
    const height = lanesTop + instances.length * (laneHeight + laneGap) + axisHeight;
    const parts = [
        area(acknowledged, binMs, x),
        ...instances.map((instance, lane) =>
            laneOf(
                instance,
                roles.filter((role) => role.instance === instance),
                lanesTop + lane * (laneHeight + laneGap),
                totalMs,
                x,
            ),
        ),
        axis(totalMs, height - axisHeight, x),
        ...marks.map(({ at, label }, index) => {
            const line = `<line class="mark ${label}" x1="${x(at)}" x2="${x(at)}" y1="${topSpace - 4}" y2="${height - axisHeight}"/>`;
            // Left of its line where the next mark, or the edge, would cover it.
            const anchor = x(marks[index + 1]?.at ?? totalMs) - x(at) < labelWidth ? "end" : "start";
            return `${line}<text x="${x(at) + (anchor === "end" ? -3 : 3)}" y="${topSpace - 6}" text-anchor="${anchor}">${label}</text>`;
        }),
    ];
    const label = "acknowledgements over time, with the role of each instance";
    return element("svg", parts.join(""), { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

/** One column per pixel at most: the fewest acknowledgements of its bins, so that a gap never disappears. */
function area(acknowledged: number[], binMs: number, x: (ms: number) => number): string {
    const perColumn = Math.max(1, Math.ceil(acknowledged.length / (width - left)));
    const columns: { at: number; value: number }[] = [];
    for (let index = 0; index < acknowledged.length; index += perColumn) {
        const value = Math.min(...acknowledged.slice(index, index + perColumn));
        columns.push({ at: index * binMs, value });
    }
    const most = Math.max(1, ...columns.map(({ value }) => value));
    const base = topSpace + plotHeight;
    const y = (value: number): number => Math.round((base - (value / most) * plotHeight) * 10) / 10;
    const steps = columns.map(({ at, value }) => `L${x(at)} ${y(value)}L${x(at + perColumn * binMs)} ${y(value)}`);
    const rate = Math.round((most * 1000) / binMs);
    return (
        `<path class="area" d="M${left} ${base}${steps.join("")}L${x(Infinity)} ${base}Z"/>` +
        `<line class="axis" x1="${left}" x2="${width}" y1="${base}" y2="${base}"/>` +
        `<text x="${left - 6}" y="${topSpace + 8}" text-anchor="end">${rate} / s</text>` +
        `<text x="${left - 6}" y="${base}" text-anchor="end">0</text>`
    );
}

function laneOf(
    instance: string,
    roles: RecordedTimeline["roles"],
    top: number,
    totalMs: number,
    x: (ms: number) => number,
): string {
    const spans = roles.map(({ at, role }, index) => {
        const end = roles[index + 1]?.at ?? totalMs;
        const extent = Math.max(0, Math.round((x(end) - x(at)) * 10) / 10);
        return `<rect class="lane-${role}" x="${x(at)}" y="${top}" width="${extent}" height="${laneHeight}"/>`;
    });
    return `<text x="${left - 6}" y="${top + laneHeight - 3}" text-anchor="end">${escapeHtml(instance)}</text>${spans.join("")}`;
}

function axis(totalMs: number, top: number, x: (ms: number) => number): string {
    const steps = [1, 2, 5, 10, 20, 30, 60, 120, 300].map((seconds) => seconds * 1000);
    const step = steps.find((candidate) => totalMs / candidate <= 14) ?? 600_000;
    const ticks = Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, index) => index * step);
    return ticks
        .map((at) => {
            const anchor = width - x(at) < labelWidth / 2 ? "end" : "middle";
            return `<text x="${x(at)}" y="${top + 14}" text-anchor="${anchor}">${at / 1000} s</text>`;
        })
        .join("");
}
