import { successorOf } from "../lab";
import type { Scenario } from "./scenario";

/** As the drill's `clock-jump`, which needs machines with clocks of their own. */
const jumpSeconds = 300;

export const clockSet: Scenario = {
    name: "clock-set",
    imitates: "the clock of the primary's machine is set back by five minutes, and a while later forward again",
    run: async (lab) => {
        const { primary } = await lab.roles();
        await lab.write(10);
        const log = await lab.patroniLogFromNow(primary);
        await lab.setClock(primary, -jumpSeconds);
        const afterBack = await successorOf(lab, primary);
        await lab.setClock(primary, 0);
        const afterForward = afterBack ?? (await successorOf(lab, primary));
        await lab.write(10);
        // Its lock ran out, and it was quicker than the others to take it again.
        const taken = Number(await lab.container.run(`${log} | grep -c "acquir.* session lock" || true`));
        const when = afterBack === undefined ? "forward" : "back";
        const note =
            afterForward === undefined
                ? `member-${primary} led all the time${taken > 0 ? `, its lock was free ${taken} times` : ""}`
                : `${afterForward} leads since the clock of member-${primary} was set ${when}`;
        return { note, stuck: false, gaveWay: afterForward !== undefined || taken > 0 };
    },
};
