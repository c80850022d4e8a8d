import { freezePrimary, thawAlone } from "../frozen-primary";
import type { Scenario } from "./scenario";

/**
 * The other members' Patroni stands still while the old primary decides: in the world they race with it, and here it
 * always is first. Its etcd member is frozen with it and thawed later, so that its view of the cluster is the old one.
 */
export const lockVanished: Scenario = {
    name: "lock-vanished",
    imitates:
        "a machine with the primary and its etcd member was paused, and comes back while its successor's lease is lost",
    async run(lab) {
        const frozen = await freezePrimary(lab, true);
        await lab.signal("STOP", `patroni-${frozen.synchronous}`, `patroni-${frozen.other}`);
        await lab.dropLock(frozen.awake);
        return { note: await thawAlone(lab, frozen), stuck: false };
    },
};
