import { monitorEventLoopDelay } from "node:perf_hooks";

/**
 * How long the drill's own process was kept from running. Its clients live in it: while it waits for a processor, no
 * acknowledgement is noticed and every connection runs into its limit, so that an outage is seen where none is.
 */
export class OwnDelay {
    private readonly histogram = monitorEventLoopDelay({ resolution: 20 });

    constructor() {
        this.histogram.enable();
    }

    /** Seconds, at the 99th percentile; the watch begins anew. */
    take(): number {
        const seconds = this.histogram.percentile(99) / 1e9;
        this.histogram.reset();
        return seconds;
    }

    stop(): void {
        this.histogram.disable();
    }
}

/** From here on a bar in seconds is not judged: the drill could not have seen an acknowledgement in time. */
export const delayedFrom = 0.25;
