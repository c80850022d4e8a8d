import { waitForPromotion, type Lab } from "../lab";
import type { Scenario } from "./scenario";

/** Commits that no standby receives: their WAL receivers are frozen, and end before they are thawed. */
async function divergePrimary(lab: Lab, primary: number, standbys: number[]): Promise<void> {
    const receivers = await Promise.all(
        standbys.map((number) => lab.sqlOn(number, "select pid from pg_stat_wal_receiver")),
    );
    await lab.container.run(`kill -s STOP ${receivers.join(" ")}`);
    const rows = "insert into ledger select gen_random_uuid() from generate_series(1, 20000)";
    await lab.sql(`set synchronous_commit = local; ${rows}`, [primary]);
    // Its Patroni lives: it gives the lock away, and starts PostgreSQL as a standby of the successor.
    await lab.signal("KILL", `postgresql-${primary}`);
    await lab.container.run(`kill -s TERM ${receivers.join(" ")}; kill -s CONT ${receivers.join(" ")}`);
}

export const divergedConfirms: Scenario = {
    name: "diverged-confirms",
    imitates: "a primary that crashed with WAL of its own comes back when its successor has no other standby",
    async run(lab) {
        const { primary, synchronous, other } = await lab.roles();
        await lab.write(5);
        const log = `/lab/data/patroni-${primary}/log`;
        await lab.container.run(`: > ${log}`);
        await divergePrimary(lab, primary, [synchronous, other]);
        await lab.signal("STOP", `patroni-${other}`, `postgresql-${other}`);
        await waitForPromotion(lab, synchronous);
        await lab.write(1, [synchronous]);
        const rewinds = Number(await lab.container.run(`grep -c 'pg_rewind exit code=0' ${log} || true`));
        await lab.signal("CONT", `patroni-${other}`, `postgresql-${other}`);
        const how = rewinds > 0 ? "after it had been rewound" : "although its WAL had diverged";
        return { note: `member-${primary} confirmed a commit ${how}`, stuck: false, confirmedUnseen: rewinds === 0 };
    },
};
