import { waitFor } from "../../../components/progress";
import { waitForPromotion, type Lab, type Roles } from "../lab";
import type { Scenario } from "./scenario";

/** The asynchronous standby gets a commit that the synchronous one never gets. */
async function runAhead(lab: Lab, { primary, synchronous, other }: Roles): Promise<void> {
    await lab.whileNotReceiving([synchronous], async () => {
        await lab.sql("set synchronous_commit = local; insert into ledger values (gen_random_uuid())", [primary]);
        const ahead = await lab.sqlOn(primary, "select pg_current_wal_flush_lsn()");
        await waitFor("the asynchronous standby's replay", 120, async () => {
            const replayed = await lab.sqlOn(other, `select pg_last_wal_replay_lsn() >= '${ahead}'`);
            return replayed === "t" ? { done: undefined } : { waiting: replayed };
        });
        await lab.signal("KILL", `patroni-${primary}`, `postgresql-${primary}`);
    });
}

export const standbyAhead: Scenario = {
    name: "standby-ahead",
    imitates: "the primary dies when the asynchronous standby has received more than the synchronous one",
    async run(lab) {
        const roles = await lab.roles();
        await lab.write(5);
        await runAhead(lab, roles);
        await waitForPromotion(lab, roles.synchronous);
        const began = Date.now();
        await lab.write(1, [roles.synchronous]);
        const waited = (Date.now() - began) / 1000;
        const rewinds = await lab.rewinds(roles.other);
        await lab.startPatroni(roles.primary);
        return {
            note: `acknowledged ${waited.toFixed(1)} s after the promotion; member-${roles.other} rewound ${rewinds} times`,
            stuck: false,
            waitedSeconds: waited,
        };
    },
};
