import { successorOf } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

const rowsAfterwards = 20;
/** Four times what it should take. */
const patienceMs = 4 * (timers.patroni.ttl + timers.patroni.loopWait) * 1000;

export const volumeFull: Scenario = {
    name: "volume-full",
    imitates: "something else fills the primary's volume, and nobody makes space",
    async run(lab) {
        const { primary } = await lab.roles();
        await lab.write(5);
        const filler = `/lab/data/patroni-${primary}/filler`;
        await lab.container.run(`cat /dev/zero > ${filler} || true`);
        const began = Date.now();
        const successor = await successorOf(lab, primary, patienceMs);
        const seconds = (Date.now() - began) / 1000;
        if (successor !== undefined) await lab.write(rowsAfterwards);
        await lab.container.run(`rm ${filler}`);
        const did =
            successor === undefined ? "kept the lock" : `gave way to ${successor} after ${seconds.toFixed(1)} s`;
        return { note: `member-${primary} ${did}`, stuck: successor === undefined };
    },
};
