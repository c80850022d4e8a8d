import { partsOf, waitForPromotion } from "../lab";
import type { Scenario } from "./scenario";

export const divergedConfirms: Scenario = {
    name: "diverged-confirms",
    imitates: "a primary that crashed with WAL of its own comes back when its successor has no other standby",
    async run(lab) {
        const { primary, synchronous, other } = await lab.roles();
        await lab.write(5);
        const before = await lab.rewinds(primary);
        await lab.whileNotReceiving([synchronous, other], async () => {
            const rows = "insert into ledger select gen_random_uuid() from generate_series(1, 20000)";
            await lab.sql(`set synchronous_commit = local; ${rows}`, [primary]);
            // Its Patroni lives: it gives the lock away, and starts PostgreSQL as a standby of the successor.
            await lab.signal("KILL", `postgresql-${primary}`);
        });
        await lab.signal("STOP", ...partsOf(other));
        await waitForPromotion(lab, synchronous);
        await lab.write(1, [synchronous]);
        const rewound = (await lab.rewinds(primary)) > before;
        await lab.signal("CONT", ...partsOf(other));
        const how = rewound ? "after it had been rewound" : "although its WAL had diverged";
        return { note: `member-${primary} confirmed a commit ${how}`, stuck: false, confirmedUnseen: !rewound };
    },
};
