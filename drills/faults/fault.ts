import type { Cluster } from "../cluster";

/** A fault with its target chosen and everything ready, so that injecting takes no time of its own. */
export interface PreparedFault {
    /** What it hits, for people. */
    target: string;
    inject(): Promise<void>;
    /** Brings back what does not come back by itself. */
    heal(): Promise<void>;
}

export interface Fault {
    /** As on the command line. */
    name: string;
    /** One sentence: what happens in the world that this stands for. */
    imitates: string;
    /** Longest outage that is accepted, in seconds. */
    outageBar: number;
    prepare(cluster: Cluster): Promise<PreparedFault>;
}
