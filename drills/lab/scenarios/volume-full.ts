import { setTimeout as sleep } from "node:timers/promises";
import { dataOf, successorOf, type Lab } from "../lab";
import type { Outcome, Scenario } from "./scenario";

const rowsAfterwards = 20;

const fillerPid = "/lab/data/filler-pid";

/** Takes what is freed, too, until it is ended. */
async function fill(lab: Lab, filler: string): Promise<void> {
    await lab.container.start(`echo $$ > ${fillerPid}; while :; do cat /dev/zero >> ${filler}; sleep 0.05; done`);
    await lab.container.run(
        `timeout 120 bash -c 'until [ "$(df --output=avail ${filler} | tail -n 1)" -eq 0 ]; do sleep 0.1; done'`,
    );
}

async function play(lab: Lab, further: (primary: number) => Promise<void>): Promise<Outcome> {
    const { primary } = await lab.roles();
    await lab.write(5);
    const filler = `/lab/data/patroni-${primary}/filler`;
    await fill(lab, filler);
    const began = Date.now();
    await further(primary);
    const successor = await successorOf(lab, primary);
    const seconds = (Date.now() - began) / 1000;
    if (successor !== undefined) await lab.write(rowsAfterwards);
    await lab.container.run(`kill $(cat ${fillerPid}); rm ${filler}`);
    const did = successor === undefined ? "kept the lock" : `gave way to ${successor} after ${seconds.toFixed(1)} s`;
    return { note: `member-${primary} ${did}`, stuck: successor === undefined };
}

export const volumeFull: Scenario = {
    name: "volume-full",
    imitates: "something else fills the primary's volume, and nobody makes space",
    run: (lab) => play(lab, () => Promise.resolve()),
};

export const volumeFullCrash: Scenario = {
    name: "volume-full-crash",
    imitates: "the same, and PostgreSQL crashes: when it is up again it refuses every new connection, Patroni's too",
    run: (lab) =>
        play(lab, async (primary) => {
            await lab.container.run(
                `kill -s KILL $(pgrep --parent $(head -n 1 ${dataOf(primary)}/postmaster.pid) --full walwriter)`,
            );
            await sleep(1000);
        }),
};
