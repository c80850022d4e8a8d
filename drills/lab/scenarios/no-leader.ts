import { freezePrimary, thawAlone } from "../frozen-primary";
import { prefix } from "../etcd-view";
import type { Scenario } from "./scenario";

/**
 * A successor acknowledges rows from its promotion on and publishes its timeline (/history) some seconds later. Taking
 * the key away stands for that time; the timeline is upstream's only reason not to let the old primary lead.
 */
export const noLeader: Scenario = {
    name: "no-leader",
    imitates:
        "a paused primary comes back, hears that nobody leads, and that its successor's timeline is not published yet",
    async run(lab) {
        const frozen = await freezePrimary(lab, false);
        await lab.signal("STOP", `patroni-${frozen.synchronous}`, `patroni-${frozen.other}`);
        await lab.etcdctl(`del ${prefix}history`);
        await lab.dropLock(frozen.awake);
        return { note: await thawAlone(lab, frozen), stuck: false };
    },
};
