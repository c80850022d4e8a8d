import type { Cluster } from "../cluster";
import type { Bar } from "../bars";

/** A fault with its target chosen and everything ready, so that injecting takes no time of its own. */
export interface PreparedFault {
    /** What it hits, for people. */
    target: string;
    inject(): Promise<void>;
    /** Asked before it is healed: why it did nothing, undefined when it did what it should. Without it nothing is known. */
    notBitten?(): Promise<string | undefined>;
    /** Ends the fault, and brings back what does not come back by itself. */
    heal(): Promise<void>;
    /** Promotions that preparing and healing asked for: they are no part of what the fault did. */
    ownPromotions?(): number;
    /**
     * Asked when it is healed: for how many seconds what was gone and starts again by itself runs now, each of it. The way
     * back to redundancy begins when the last had started. Without it, where healing or the fault was begun.
     */
    upFor?: () => Promise<number[]>;
}

export interface Fault {
    /** As on the command line. */
    name: string;
    /** One sentence: what happens in the world that this stands for. */
    imitates: string;
    /** Which bar the outage is held against. */
    bar: Bar;
    /**
     * Whether another instance must, may or must not be primary afterwards. A failover where none is needed costs an
     * outage; a missing one means that the fault did not bite.
     */
    failover: "expected" | "allowed" | "forbidden";
    /**
     * As many: with fewer it did not bite, more were without need. @default 1 where a failover is expected, 0 or 1 where
     * it is allowed
     */
    promotions?: number;
    /** Something is gone until the drill brings it back: the way back to redundancy begins there. */
    awayUntilHealed?: boolean;
    /** Seconds it lasts from when it is there. Without it: until every client writes again, two minutes at most. */
    holdSeconds?: number;
    /** Seconds until it must be redundant again, at the 95th percentile. @default not judged */
    redundantWithin?: number;
    /** Left out of the core set, which a person waits for. */
    long?: boolean;
    /** Why it cannot be injected on this stack; undefined when it can. */
    obstacle?(cluster: Cluster): Promise<string | undefined>;
    prepare(cluster: Cluster): Promise<PreparedFault>;
}

/** For faults that end by themselves. */
export const healsItself = (): Promise<void> => Promise.resolve();
