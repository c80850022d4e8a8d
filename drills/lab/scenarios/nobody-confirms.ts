import { setTimeout as sleep } from "node:timers/promises";
import { numberOf, type Lab } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

const rowsWhileItLasts = 20;
/** Four times what it should take. */
const patienceMs = 4 * (timers.patroni.ttl + timers.patroni.loopWait) * 1000;

/** The primary takes connections for replication or refuses them; those that are there end. Patroni does not notice. */
async function replication(lab: Lab, primary: number, method: "trust" | "reject"): Promise<void> {
    const hba = `/lab/data/patroni-${primary}/pgdata/pg_hba.conf`;
    await lab.container.run(`sed -i -E '/^host +replication/s/[a-z]+$/${method}/' ${hba} && grep -q ${method} ${hba}`);
    await lab.sqlOn(primary, "select pg_reload_conf(); select pg_terminate_backend(pid) from pg_stat_replication;");
}

async function successorOf(lab: Lab, primary: number): Promise<string | undefined> {
    for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(200)) {
        const { leader, members } = await lab.view();
        if (leader !== undefined && numberOf(leader) !== primary && members[leader]?.role === "primary") return leader;
    }
    return undefined;
}

export const nobodyConfirms: Scenario = {
    name: "nobody-confirms",
    imitates: "the primary renews its lock, but no standby gets a connection to it: no commit is acknowledged",
    async run(lab) {
        const { primary } = await lab.roles();
        await lab.write(5);
        const began = Date.now();
        await replication(lab, primary, "reject");
        const writing = lab.write(rowsWhileItLasts);
        const successor = await successorOf(lab, primary);
        const seconds = (Date.now() - began) / 1000;
        // What a person would have to find out.
        if (successor === undefined) await replication(lab, primary, "trust");
        await writing;
        return {
            note: `member-${primary} ${successor === undefined ? "kept the lock" : `gave way to ${successor} after ${seconds.toFixed(1)} s`}`,
            stuck: successor === undefined,
        };
    },
};
