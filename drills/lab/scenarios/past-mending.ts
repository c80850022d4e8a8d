import { setTimeout as sleep } from "node:timers/promises";
import { waitUntilItWorks } from "../../../components/progress";
import { versions } from "../../../components/versions";
import { dataOf, partsOf, successorOf, waitForPromotion, type Lab } from "../lab";
import type { Outcome, Scenario } from "./scenario";

/** A member is given up after 120 s. Who is not back by then, or made anew, never will be. */
const patienceSeconds = 200;
const leftAloneMs = 150_000;

const rowsMeanwhile = 20;

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
    /** Whose Patroni and PostgreSQL are away from before the damage until the standby is back. */
    away?: number;
    /** While it stands still, before it is killed. */
    damage: () => Promise<unknown>;
    /** Patroni goes on, with what it knows of the data directory. */
    onlyPostgres?: boolean;
    /** Its volume goes with it. */
    lost?: boolean;
    /** What a person does in the end. */
    mend?: string;
    patience?: number;
}

/** Breaks something of a standby and kills it, and waits for what becomes of it. */
async function play(lab: Lab, { standby, away, damage, onlyPostgres, lost, mend, patience }: Break): Promise<Outcome> {
    const before = await lab.inode(standby);
    if (away !== undefined) await lab.signal("KILL", ...partsOf(away));
    const parts = onlyPostgres === true ? [`postgresql-${standby}`] : partsOf(standby);
    await lab.signal("STOP", ...parts);
    await damage();
    await lab.signal("KILL", ...parts);
    if (lost === true) await lab.container.run(`rm -r ${dataOf(standby)}`);
    const began = Date.now();
    if (onlyPostgres !== true) await lab.startPatroni(standby);
    const written = lab.write(rowsMeanwhile);
    written.catch(() => undefined); // told where it is waited for
    // With one away nobody could confirm these before the standby is back.
    if (away === undefined) await written;
    if (mend !== undefined) {
        await sleep(leftAloneMs);
        await lab.container.run(mend);
    }
    const isBack = await comesUp(lab, standby, patience ?? patienceSeconds);
    if (isBack) await written;
    if (away !== undefined) await lab.startPatroni(away);
    // Whoever is back is whole with the others in a moment; etcd may still say what was before.
    if (isBack) await lab.whole();
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    const madeAnew = (await lab.inode(standby)) !== before;
    if (!isBack) await lab.remake(standby);
    await written;
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
        await lab.signal("KILL", ...partsOf(primary));
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

export const onlyOneDamaged: Scenario = {
    name: "only-one-damaged",
    imitates:
        "the same while the third member is away: nobody else could confirm, so every write waits for the broken one",
    run: async (lab) => {
        const { synchronous: standby, other: away } = await lab.roles();
        const log = await lab.patroniLogFromNow(standby);
        const damage = () => lab.container.run(`rm -r ${dataOf(standby)}/pg_twophase`);
        const outcome = await play(lab, { standby, away, damage });
        const times = await lab.container.run(`${log} | grep -c "which is put aside" || true`);
        // It goes when the member has streamed for half a minute.
        const kept = `ls -d ${dataOf(standby)}.aside ${dataOf(standby)}.superseded ${dataOf(standby)}.failed 2> /dev/null`;
        const left = await lab.container.run(
            `for i in $(seq 120); do left=$(${kept}) || true; [ "$left" ] || break; sleep 0.5; done; echo "$left"`,
        );
        return {
            ...outcome,
            note: `${outcome.note}; its data was put aside ${times} times, left of it: ${left || "nothing"}`,
        };
    },
};

/** Overwrites a row of the table's first page where it lies, as a disk does that forgets a write. */
const damagePage = async (lab: Lab, primary: number): Promise<unknown> => {
    await lab.sqlOn(primary, "drop table if exists seldom_read");
    const rows = "select repeat('x', 1000) as text from generate_series(1, 100)";
    await lab.sqlOn(primary, `create table seldom_read with (autovacuum_enabled = off) as ${rows}`);
    // So that nobody writes the page anew out of PostgreSQL's memory, where it is whole.
    await lab.sqlOn(primary, "vacuum freeze seldom_read");
    await lab.sqlOn(primary, "checkpoint");
    const file = await lab.sqlOn(primary, "select pg_relation_filepath('seldom_read')");
    return lab.container.run(
        `printf damaged | dd of=${dataOf(primary)}/${file.trim()} bs=1 seek=8000 conv=notrunc,fsync status=none`,
    );
};

export const pageDamaged: Scenario = {
    name: "page-damaged",
    imitates: "a page of the primary that nobody reads is damaged, and a standby loses its volume",
    run: async (lab) => {
        const { primary, other: standby } = await lab.roles();
        const damage = () => damagePage(lab, primary);
        const outcome = await play(lab, { standby, damage, lost: true, patience: 60 });
        // What follows is another round's.
        await lab.sql("drop table if exists seldom_read");
        return outcome;
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

/** The primary goes on for some segments, and keeps nothing of it for these standbys. */
async function dropWal(lab: Lab, primary: number, ...standbys: number[]): Promise<void> {
    const needed = await lab.sqlOn(primary, "select pg_walfile_name(pg_current_wal_lsn())");
    for (let segment = 1; segment <= 5; segment += 1) {
        await lab.sqlOn(primary, "select pg_logical_emit_message(false, 'lab', 'a record'), pg_switch_wal()");
    }
    await lab.sqlOn(primary, "checkpoint");
    // While its session lasts the slot cannot be dropped. Patroni makes another, which keeps WAL from then on.
    for (const standby of standbys) {
        await waitUntilItWorks("the end of its session", 60, () =>
            lab.sqlOn(primary, `select pg_drop_replication_slot('member_${standby}')`),
        );
    }
    await lab.sqlOn(primary, "checkpoint");
    const kept = await lab.sqlOn(primary, `select name from pg_ls_waldir() where name = '${needed.trim()}'`);
    if (kept.trim() !== "") throw new Error(`the primary still has ${kept}`);
}

const keepsLittleWal = { wal_keep_size: "16MB" };

export const walGone: Scenario = {
    name: "wal-gone",
    imitates: "a standby was away for longer than its slot lives, and nobody has the WAL any more that it needs",
    parameters: keepsLittleWal,
    run: async (lab) => {
        const { primary, other: standby } = await lab.roles();
        return play(lab, { standby, damage: () => dropWal(lab, primary, standby) });
    },
};

export const primaryLostThen: Scenario = {
    name: "primary-lost-then",
    imitates: "the same of the only one that could confirm, and the primary is lost for good while it is copied",
    parameters: keepsLittleWal,
    run: async (lab) => {
        const { primary, synchronous: standby, other: away } = await lab.roles();
        await lab.write(rowsMeanwhile);
        await lab.signal("KILL", ...partsOf(away));
        await lab.signal("STOP", ...partsOf(standby));
        await dropWal(lab, primary, standby, away);
        await lab.signal("KILL", ...partsOf(standby));
        await lab.startPatroni(standby);
        const began = Date.now();
        const log = await lab.patroniLogFromNow(standby);
        const copying = "until pkill --signal STOP --exact pg_basebackup; do sleep 0.01; done";
        await lab.container.run(`timeout ${patienceSeconds} sh -c '${copying}' || true`);
        // It hangs, as after a loss that leaves connections standing.
        await lab.signal("KILL", ...partsOf(primary));
        const leader = await successorOf(lab, primary, 120_000);
        const seconds = ((Date.now() - began) / 1000).toFixed(1);
        const took = await lab.container.run(`${log} | grep -c "took back the data directory" || true`);
        await lab.startPatroni(away);
        await lab.beginAnew(primary);
        const note = `${leader ?? "nobody"} led after ${seconds} s, data taken back ${took} times`;
        return { note, stuck: leader === undefined, madeAnew: false };
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
