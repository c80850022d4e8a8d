import type { Lab } from "../lab";
import type { Different } from "../member-config";

/** What a round showed besides the rows. */
export interface Outcome {
    /** For people: who did what. */
    note: string;
    /** Nobody led for so long that a person would have been needed. */
    stuck: boolean;
    /** From the promotion to the first acknowledged commit, where the scenario is about that. */
    waitedSeconds?: number;
    /** A standby confirmed a commit that it cannot have. */
    confirmedUnseen?: boolean;
    /** Somebody was promoted by a lock that another had had since. */
    promotedByOldLock?: boolean;
    /** A member is back with a timeline that was begun by another promotion than the primary's of the same number. */
    begunTwice?: boolean;
    /** Its data directory is another one than before. */
    madeAnew?: boolean;
    /** Another one leads, or could have taken the lock, although nothing was wrong with the primary. */
    gaveWay?: boolean;
    /** A replica offers itself for reads although it cannot know how old they are. */
    readsOfAnyAge?: boolean;
}

export interface Scenario extends Different {
    /** As on the command line. */
    name: string;
    /** One sentence: what happens in the world that this stands for. */
    imitates: string;
    /** Breaks a whole cluster and mends it again as far as it does not mend itself. */
    run(lab: Lab): Promise<Outcome>;
}
