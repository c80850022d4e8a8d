export interface Gap {
    seconds: number;
    /** Of the last acknowledgement before, and of the first after; the latter missing when none came. */
    from: number;
    until?: number;
}

/**
 * The outage of a fault: last acknowledgement before it to the first after it. A fault may bite some time after it was
 * begun (a graceful stop acknowledges on), so it is the longest pause between neighbours that ends after `faultAt`;
 * what had not come by `endAt` counts as a pause up to there.
 */
export function outage(acknowledged: number[], faultAt: number, endAt: number): Gap {
    const times = acknowledged.filter((time) => time <= endAt).sort((a, b) => a - b);
    const before = times.filter((time) => time < faultAt).at(-1) ?? faultAt;
    const after = times.filter((time) => time >= faultAt);
    const marks: (number | undefined)[] = [...after, undefined];
    let longest: Gap = { seconds: -1, from: before };
    let from = before;
    for (const until of marks) {
        const seconds = ((until ?? endAt) - from) / 1000;
        if (seconds > longest.seconds) {
            longest = { seconds, from, until };
        }
        from = until ?? from;
    }
    return longest;
}
