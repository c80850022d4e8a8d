import { setTimeout as sleep } from "node:timers/promises";
import { dataOf, successorOf, type Lab, type Roles } from "../lab";
import { timers } from "../member-config";
import type { Outcome, Scenario } from "./scenario";

const rowsWhileItLasts = 20;
/** By then a standby that receives nothing is not connected any more. */
const unconnectedMs = (timers.replication.walSenderTimeout + 1) * 1000;

/** The primary takes connections for replication or refuses them; those of these standbys end. Patroni does not notice. */
async function replication(lab: Lab, primary: number, method: "trust" | "reject", standbys: number[]): Promise<void> {
    const hba = `${dataOf(primary)}/pg_hba.conf`;
    await lab.container.run(`sed -i -E '/^host +replication/s/[a-z]+$/${method}/' ${hba} && grep -q ${method} ${hba}`);
    const names = standbys.map((number) => `'member-${number}'`).join(", ");
    const end = `select pg_terminate_backend(pid) from pg_stat_replication where application_name in (${names})`;
    await lab.sqlOn(primary, `select pg_reload_conf(); ${end};`);
}

async function play(lab: Lab, lose: (roles: Roles) => Promise<void>): Promise<Outcome> {
    const roles = await lab.roles();
    const { primary, synchronous, other } = roles;
    await lab.write(5);
    const began = Date.now();
    await lose(roles);
    const writing = lab.write(rowsWhileItLasts);
    const successor = await successorOf(lab, primary);
    const seconds = (Date.now() - began) / 1000;
    // What a person would have to find out.
    if (successor === undefined) await replication(lab, primary, "trust", [synchronous, other]);
    await writing;
    const did = successor === undefined ? "kept the lock" : `gave way to ${successor} after ${seconds.toFixed(1)} s`;
    return { note: `member-${primary} ${did}`, stuck: successor === undefined };
}

export const nobodyConfirms: Scenario = {
    name: "nobody-confirms",
    imitates: "the primary renews its lock, but no standby gets a connection to it: no commit is acknowledged",
    run: (lab) =>
        play(lab, ({ primary, synchronous, other }) => replication(lab, primary, "reject", [synchronous, other])),
};

export const lostInTurn: Scenario = {
    name: "lost-in-turn",
    imitates: "the same, and the synchronous standby is lost some seconds before the other one, which receives nothing",
    run: (lab) =>
        play(lab, ({ primary, synchronous, other }) =>
            lab.whileNotReceiving([other], async () => {
                // With all of it, the other one would be as good a choice.
                await lab.sqlOn(primary, "select pg_switch_wal()");
                await replication(lab, primary, "reject", [synchronous]);
                await sleep(unconnectedMs);
            }),
        ),
};
