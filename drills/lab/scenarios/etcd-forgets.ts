import { waitFor } from "../../../components/progress";
import { prefix } from "../etcd-view";
import type { Lab } from "../lab";
import type { Scenario } from "./scenario";

/** Nobody may stay without the lock because of what was forgotten: the round fails if the cluster does not mend itself. */
const mends = async (lab: Lab, forget: () => Promise<unknown>): Promise<{ note: string; stuck: boolean }> => {
    const { primary } = await lab.roles();
    await lab.write(10);
    await forget();
    const began = Date.now();
    const stuck = await lab.whole(60).then(
        () => false,
        () => true,
    );
    const { leader } = await lab.view();
    const took = ((Date.now() - began) / 1000).toFixed(1);
    return { note: `member-${primary} led, ${leader ?? "nobody"} leads after ${took} s`, stuck };
};

export const leaseRevoked: Scenario = {
    name: "lease-revoked",
    imitates: "a thawed etcd leader revokes the lease of a healthy primary",
    run: (lab) => mends(lab, () => lab.dropLock([1, 2, 3])),
};

export const keysWiped: Scenario = {
    name: "keys-wiped",
    imitates: "etcd's data is lost, or an administrator removes the keys of a running cluster",
    run: (lab) => mends(lab, () => lab.etcdctl(`del --prefix ${prefix}`)),
};

/** Longer than ttl: leases of before must not matter. */
const etcdDownSeconds = 20;

export const etcdDown: Scenario = {
    name: "etcd-down",
    imitates: "all etcd members stand still for longer than the lock lives",
    async run(lab) {
        const members = ["etcd-1", "etcd-2", "etcd-3"];
        return mends(lab, async () => {
            await lab.signal("STOP", ...members);
            const end = Date.now() + etcdDownSeconds * 1000;
            const written = await waitFor("time", etcdDownSeconds + 20, async () => {
                await lab.write(1);
                return Date.now() > end ? { done: true } : { waiting: "for the end" };
            });
            await lab.signal("CONT", ...members);
            return written;
        });
    },
};
