import { waitFor } from "../../../components/progress";
import { partsOf, waitForPromotion, type Lab, type Roles } from "../lab";
import type { Scenario } from "./scenario";

/** The asynchronous standby gets a commit that the synchronous one does not have when the primary comes to its end. */
export async function runAhead(
    lab: Lab,
    { primary, synchronous, other }: Roles,
    endPrimary: () => Promise<void>,
): Promise<void> {
    await lab.whileNotReceiving([synchronous], async () => {
        await lab.sql("set synchronous_commit = local; insert into ledger values (gen_random_uuid())", [primary]);
        const ahead = await lab.sqlOn(primary, "select pg_current_wal_flush_lsn()");
        await waitFor("the asynchronous standby's replay", 120, async () => {
            const replayed = await lab.sqlOn(other, `select pg_last_wal_replay_lsn() >= '${ahead}'`);
            return replayed === "t" ? { done: undefined } : { waiting: replayed };
        });
        await endPrimary();
    });
}

export const standbyAhead: Scenario = {
    name: "standby-ahead",
    imitates: "the primary dies when the asynchronous standby has received more than the synchronous one",
    async run(lab) {
        const roles = await lab.roles();
        await lab.write(5);
        const { primary } = roles;
        await runAhead(lab, roles, () => lab.signal("KILL", ...partsOf(primary)));
        await waitForPromotion(lab, roles.synchronous);
        const began = Date.now();
        await lab.write(1, [roles.synchronous]);
        const waited = (Date.now() - began) / 1000;
        const rewinds = await lab.rewinds(roles.other);
        const from = await lab.container.run(
            `sed -n 's/.*Receiving from \\(member-[0-9]\\) .*/\\1/p' /lab/data/patroni-${roles.synchronous}/log | tail -n 1`,
        );
        await lab.startPatroni(primary);
        return {
            note:
                `acknowledged ${waited.toFixed(1)} s after the promotion; member-${roles.other} rewound ${rewinds} times` +
                (from === "" ? "" : `, received from ${from}`),
            stuck: false,
            waitedSeconds: waited,
        };
    },
};
