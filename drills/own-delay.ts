/** Shorter delays are a busy process's own, and no client notices them. */
const noticedMs = 50;
const everyMs = 20;

/**
 * When and for how long the drill's own process was kept from running. Its clients live in it: while it waits for a processor,
 * no acknowledgement is noticed and every connection runs into its limit, so that an outage is seen where none is.
 */
export class OwnDelay {
    private readonly delays: { until: number; ms: number }[] = [];
    private readonly timer: NodeJS.Timeout;
    private last: number;

    constructor(private readonly clock: () => number) {
        this.last = clock();
        this.timer = setInterval(() => this.take(), everyMs);
    }

    take(): void {
        const until = this.clock();
        const ms = until - this.last - everyMs;
        if (ms >= noticedMs) this.delays.push({ until, ms });
        this.last = until;
    }

    /** Seconds in all, of the delays that ended between two moments. */
    seconds(from: number, until: number): number {
        const within = this.delays.filter((delay) => delay.until > from && delay.until <= until + noticedMs);
        return within.reduce((sum, { ms }) => sum + ms, 0) / 1000;
    }

    stop(): void {
        clearInterval(this.timer);
    }
}

/** From here on a bar in seconds may not be judged: the drill could not have seen an acknowledgement in time. */
export const delayedFrom = 0.25;
