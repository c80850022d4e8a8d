import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../components/progress";
import { waitForPromotion } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

/**
 * Candidates ask every member how far it is, the frozen one too, for two seconds (Patroni's limit of such a request).
 * The others have answered by then, and nobody has been promoted yet.
 */
const afterTheVoteMs = 1000;

/** Time of the old primary to acknowledge what it should not. */
const writeSeconds = 8;

export const twoFrozen: Scenario = {
    name: "two-frozen",
    imitates:
        "the primary's Patroni hangs past its ttl, and so does that of a standby right after it has voted for the other",
    async run(lab) {
        const { primary, synchronous, other } = await lab.roles();
        await lab.write(5);
        await lab.signal("STOP", `patroni-${primary}`);
        await waitFor(
            "the end of the lock",
            4 * timers.patroni.ttl,
            async () => {
                const { leader } = await lab.view();
                return leader === undefined ? { done: undefined } : { waiting: `${leader} has it` };
            },
            50,
        );
        await sleep(afterTheVoteMs);
        await lab.signal("STOP", `patroni-${other}`);
        await waitForPromotion(lab, synchronous);
        await lab.writeFor(writeSeconds, [primary]);
        await lab.signal("CONT", `patroni-${other}`, `patroni-${primary}`);
        return { note: `member-${synchronous} was promoted beside member-${primary}`, stuck: false };
    },
};

/** Any one standby may acknowledge: the one that voted and then hung goes on to do so for the old primary. */
export const twoFrozenQuorum: Scenario = {
    ...twoFrozen,
    name: "two-frozen-quorum",
    dynamicConfig: { synchronous_mode: "quorum" },
};
