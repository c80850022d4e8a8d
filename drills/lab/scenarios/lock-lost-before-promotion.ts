import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../components/progress";
import { waitForPromotion, type Lab, type Roles } from "../lab";
import { runAhead } from "./standby-ahead";
import type { Scenario } from "./scenario";

/** Rows that the old primary acknowledges when it leads again. */
const rowsOfTheOldPrimary = 20;

/**
 * The synchronous standby stands still with the lock in its hand. Its WAL receiver is frozen all the while, so it waits for
 * what the other standby has, and there is time for this.
 */
async function freezeWithTheLock(lab: Lab, { primary, synchronous, other }: Roles): Promise<void> {
    const log = `/lab/data/patroni-${synchronous}/log`;
    const before = Number(await lab.container.run(`wc -l < ${log}`));
    await lab.signal("STOP", `patroni-${primary}`, `postgresql-${primary}`);
    await lab.container.run(
        `timeout 60 bash -c 'until tail -n +${before + 1} ${log} | grep -q "Receiving from member-${other}"; do sleep 0.02; done' &&
        lab-signal STOP patroni-${synchronous}`,
    );
}

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
        const log = `/lab/data/patroni-${synchronous}/log`;
        const before = Number(await lab.container.run(`wc -l < ${log}`));
        await lab.signal("CONT", `patroni-${synchronous}`);
        const decided = await waitFor<string>("the decision of the one that stood still", 60, async () => {
            const lines = await lab.container.run(`tail -n +${before + 1} ${log}`);
            const found = /promoted self to leader by acquiring session lock|somebody else led since/.exec(lines);
            return found ? { done: found[0] } : { waiting: "nothing in its log" };
        });
        await sleep(3000);
        const promotedByOldLock = decided.startsWith("promoted");
        return { note: `member-${synchronous}, thawed: ${decided}`, stuck: false, promotedByOldLock };
    },
};
