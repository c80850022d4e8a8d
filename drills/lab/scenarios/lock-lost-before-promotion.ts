import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../components/progress";
import { partsOf, waitForPromotion, type Lab, type Roles } from "../lab";
import { runAhead } from "./standby-ahead";
import type { Scenario } from "./scenario";

/** Rows that the old primary acknowledges when it leads again. */
const rowsOfTheOldPrimary = 20;

/**
 * The synchronous standby stands still with the lock in its hand. Its WAL receiver is frozen all the while, so it waits for
 * what the other standby has, and there is time for this.
 */
async function freezeWithTheLock(lab: Lab, { primary, synchronous, other }: Roles): Promise<void> {
    const logged = await lab.patroniLogFromNow(synchronous);
    await lab.signal("STOP", ...partsOf(primary));
    await lab.container.run(
        `timeout 60 bash -c 'until ${logged} | grep -q "Receiving from member-${other}"; do sleep 0.02; done' &&
        lab-signal STOP patroni-${synchronous}`,
    );
}

const promoted = "promoted self to leader by acquiring session lock";

/** The last one: its lease or its view of etcd was gone before it came to either. */
const decision = new RegExp(
    [promoted, "[Ss]omebody else led since we acquired the lock", "a secondary, and following a leader"].join("|"),
);

export const lockLostBeforePromotion: Scenario = {
    name: "lock-lost-before-promotion",
    imitates: "the winner of a race stands still before it is promoted, and the old primary leads again meanwhile",
    async run(lab) {
        const roles = await lab.roles();
        const { primary, synchronous } = roles;
        await lab.write(5);
        await runAhead(lab, roles, () => freezeWithTheLock(lab, roles));
        await lab.dropLock([1, 2, 3]);
        await lab.signal("CONT", `postgresql-${primary}`, `patroni-${primary}`);
        await waitForPromotion(lab, primary);
        await lab.write(rowsOfTheOldPrimary, [primary]);
        const logged = await lab.patroniLogFromNow(synchronous);
        await lab.signal("CONT", `patroni-${synchronous}`);
        const decided = await waitFor<string>("the decision of the one that stood still", 60, async () => {
            const found = decision.exec(await lab.container.run(logged));
            return found ? { done: found[0] } : { waiting: "nothing in its log" };
        });
        await sleep(3000);
        const promotedByOldLock = (await lab.container.run(logged)).includes(promoted);
        return { note: `member-${synchronous}, thawed: ${decided}`, stuck: false, promotedByOldLock };
    },
};
