import { setTimeout as sleep } from "node:timers/promises";
import { waitUntilItWorks } from "../../../components/progress";
import { versions } from "../../../components/versions";
import { waitForPromotion, type Lab } from "../lab";
import type { Outcome, Scenario } from "./scenario";

/** A member is given up after 120 s. Who is not back by then, or made anew, never will be. */
const patienceSeconds = 200;
const leftAloneMs = 150_000;

const rowsMeanwhile = 20;

const inode = (lab: Lab, member: number): Promise<string> =>
    lab.container.run(`stat --format %i ${dataOf(member)} 2> /dev/null || true`);

const dataOf = (member: number): string => `/lab/data/patroni-${member}/pgdata`;

/** Whether this standby has in time what the primary has now. */
async function comesUp(lab: Lab, standby: number, patience: number): Promise<boolean> {
    const position = await lab.sql("select pg_current_wal_lsn()");
    for (const end = Date.now() + patience * 1000; Date.now() < end; await sleep(200)) {
        const query = `select pg_last_wal_replay_lsn() >= '${position.trim()}'`;
        if ((await lab.sqlOn(standby, query).catch(() => "")).trim() === "t") return true;
    }
    return false;
}

interface Break {
    standby: number;
    /** While it stands still, before it is killed. */
    damage: () => Promise<unknown>;
    /** Patroni goes on, with what it knows of the data directory. */
    onlyPostgres?: boolean;
    /** What a person does in the end. */
    mend?: string;
    patience?: number;
}

/** Breaks something of a standby and kills it, and waits for what becomes of it. */
async function play(lab: Lab, { standby, damage, onlyPostgres, mend, patience }: Break): Promise<Outcome> {
    const before = await inode(lab, standby);
    const parts = [...(onlyPostgres === true ? [] : [`patroni-${standby}`]), `postgresql-${standby}`];
    await lab.signal("STOP", ...parts);
    await damage();
    await lab.signal("KILL", ...parts);
    const began = Date.now();
    if (onlyPostgres !== true) await lab.startPatroni(standby);
    await lab.write(rowsMeanwhile);
    if (mend !== undefined) {
        await sleep(leftAloneMs);
        await lab.container.run(mend);
    }
    const isBack = await comesUp(lab, standby, patience ?? patienceSeconds);
    // Whoever is back is whole with the others in a moment; etcd may still say what was before.
    if (isBack) await lab.whole();
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    const madeAnew = (await inode(lab, standby)) !== before;
    if (!isBack) await lab.remake(standby);
    const did = isBack
        ? `was back after ${seconds} s, ${madeAnew ? "made anew" : "with what it had"}`
        : "did not come back";
    return { note: `member-${standby} ${did}`, stuck: !isBack, madeAnew };
}

/** The first segment of the newest timeline, as it is when its receipt was broken off two pages before the fork. */
const breakOffBeforeFork = (data: string): string =>
    [
        `cd ${data}/pg_wal`,
        "newest=$(ls *.history | tail -n 1)",
        "fork=$(awk 'NF { fork = $2 } END { print fork }' $newest)",
        "low=$((16#${fork#*/}))",
        "segment=${newest%.history}$(printf %08X $((16#${fork%/*})))$(printf %08X $((low >> 24)))",
        "page=$(((low & 0xffffff) / 8192 - 2))",
        `redo=$(/usr/lib/postgresql/${versions.postgresql}/bin/pg_controldata .. | awk '/REDO location/ { print $NF }')`,
        '[ $page -gt 0 ] && [ $((16#${redo#*/})) -lt $((low - 3 * 8192)) ] || { echo "no room before $fork, redo $redo"; exit 1; }',
        "truncate --size $((page * 8192)) $segment",
        "truncate --size 16777216 $segment",
    ].join(" && ");

export const halfReceived: Scenario = {
    name: "half-received",
    imitates: "a standby is interrupted while it receives the first segment of a new timeline, before the fork",
    parameters: { checkpoint_timeout: "1h" },
    run: async (lab) => {
        const { primary, synchronous, other } = await lab.roles();
        // Enough of the timeline before in the segment with the fork, and no restartpoint behind it.
        await lab.sqlOn(primary, "select pg_switch_wal(); checkpoint");
        await lab.sqlOn(other, "checkpoint");
        await lab.sqlOn(
            primary,
            "create table if not exists filler as select g, repeat('x', 100) from generate_series(1, 5000) g",
        );
        await lab.sqlOn(primary, "insert into filler select g, repeat('x', 100) from generate_series(1, 5000) g");
        await lab.signal("KILL", `patroni-${primary}`, `postgresql-${primary}`);
        await waitForPromotion(lab, synchronous);
        await lab.startPatroni(primary);
        await lab.whole();
        await lab.write(5);
        const damage = () => lab.container.run(breakOffBeforeFork(dataOf(other)));
        return play(lab, { standby: other, damage, patience: 30 });
    },
};

export const dataDamaged: Scenario = {
    name: "data-damaged",
    imitates: "the synchronous standby comes up without a folder of its data, as after a check of its file system",
    run: async (lab) => {
        const { synchronous: standby } = await lab.roles();
        return play(lab, { standby, damage: () => lab.container.run(`rm -r ${dataOf(standby)}/pg_twophase`) });
    },
};

export const controlFileLost: Scenario = {
    name: "control-file-lost",
    imitates: "the file that says what the data directory is has become empty",
    run: async (lab) => {
        const { other: standby } = await lab.roles();
        const damage = () => lab.container.run(`truncate --size 0 ${dataOf(standby)}/global/pg_control`);
        return play(lab, { standby, damage, onlyPostgres: true });
    },
};

export const walGone: Scenario = {
    name: "wal-gone",
    imitates: "a standby was away for longer than its slot lives, and nobody has the WAL any more that it needs",
    parameters: { wal_keep_size: "16MB" },
    run: async (lab) => {
        const { primary, other: standby } = await lab.roles();
        const damage = async () => {
            const needed = await lab.sqlOn(primary, "select pg_walfile_name(pg_current_wal_lsn())");
            for (let segment = 1; segment <= 5; segment += 1) {
                await lab.write(5);
                await lab.sqlOn(primary, "select pg_switch_wal()");
            }
            await lab.sqlOn(primary, "checkpoint");
            // While its session lasts the slot cannot be dropped. Patroni makes another, which keeps WAL from then on.
            await waitUntilItWorks("the end of its session", 60, () =>
                lab.sqlOn(primary, `select pg_drop_replication_slot('member_${standby}')`),
            );
            await lab.sqlOn(primary, "checkpoint");
            const kept = await lab.sqlOn(primary, `select name from pg_ls_waldir() where name = '${needed.trim()}'`);
            if (kept.trim() !== "") throw new Error(`the primary still has ${kept}`);
        };
        return play(lab, { standby, damage });
    },
};

const settings = "postgresql.base.conf";

export const settingRefused: Scenario = {
    name: "setting-refused",
    imitates: "PostgreSQL refuses a setting of one standby: its data is whole and has to stay",
    run: async (lab) => {
        const { other } = await lab.roles();
        return play(lab, {
            standby: other,
            damage: () => lab.container.run(`echo "huge_pages = on" >> ${dataOf(other)}/${settings}`),
            mend: `sed -i /huge_pages/d ${dataOf(other)}/${settings}`,
        });
    },
};
