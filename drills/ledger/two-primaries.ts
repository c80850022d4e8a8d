/** A write that an instance accepted when asked directly, between two moments, on a timeline. */
export interface Acceptance {
    instance: string;
    begin: number;
    end: number;
    timeline: number;
}

export interface Overlap {
    first: Acceptance;
    second: Acceptance;
    why: string;
}

/** One overlap in a sentence, with what is needed to find it in the logs. */
export const describeOverlap = ({ first, second, why }: Overlap): string =>
    `${why}: ${[first, second].map(describeAcceptance).join(", then ")}`;

const describeAcceptance = ({ instance, begin, end, timeline }: Acceptance): string =>
    `${instance} on timeline ${timeline} from ${new Date(begin).toISOString()} to ${new Date(end).toISOString()}`;

/**
 * Two instances were primary at once when both accepted a write
 * - in stretches of time that overlap, or
 * - on the same timeline, which only one may write, or
 * - the one on the older timeline after the one on the newer had accepted.
 * A failover is none of these: the new primary is on a newer timeline, and the old one accepts nothing after it.
 */
export function overlaps(acceptances: Acceptance[]): Overlap[] {
    const found: Overlap[] = [];
    const sorted = [...acceptances].sort((a, b) => a.begin - b.begin);
    const spans = new Map<string, Acceptance[]>();
    for (const current of sorted) {
        for (const [instance, earlier] of spans) {
            const why = instance === current.instance ? undefined : conflict(earlier, current);
            if (why !== undefined) {
                found.push({ ...why, second: current });
            }
        }
        spans.set(current.instance, [...(spans.get(current.instance) ?? []), current]);
    }
    return found;
}

function conflict(earlier: Acceptance[], current: Acceptance): Omit<Overlap, "second"> | undefined {
    const overlapping = earlier.find(({ end }) => end > current.begin);
    if (overlapping) {
        return { first: overlapping, why: "both accepted a write in the same moment" };
    }
    const same = earlier.find(({ timeline }) => timeline === current.timeline);
    if (same) {
        return { first: same, why: `both wrote timeline ${current.timeline}` };
    }
    const newer = earlier.find(({ timeline }) => timeline > current.timeline);
    return newer && { first: newer, why: `timeline ${current.timeline} was written after timeline ${newer.timeline}` };
}
