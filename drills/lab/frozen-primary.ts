import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../components/progress";
import { numberOf, partsOf, type Lab, type Roles } from "./lab";

/** Rows that the successor acknowledges while the old primary is frozen: what there is to lose. */
const rowsOfTheSuccessor = 20;

export interface Frozen extends Roles {
    /** The etcd member frozen with the primary, and those that were not. */
    etcd: number | undefined;
    awake: number[];
    successor: number;
}

/** Freezes the primary, with the etcd member it hears from if so wanted, until a successor has acknowledged rows. */
export async function freezePrimary(lab: Lab, withItsEtcd: boolean): Promise<Frozen> {
    const roles = await lab.roles();
    const { primary, synchronous, other } = roles;
    const etcd = withItsEtcd ? await lab.etcdOf(primary) : undefined;
    const awake = [1, 2, 3].filter((number) => number !== etcd);
    await lab.write(5);
    const parts = partsOf(primary);
    await lab.signal("STOP", ...parts, ...(etcd === undefined ? [] : [`etcd-${etcd}`]));
    const successor = await waitFor<number>(
        "a successor",
        300,
        async () => {
            const { leader = "nobody" } = await lab.view(awake);
            return ["nobody", `member-${primary}`].includes(leader) ? { waiting: leader } : { done: numberOf(leader) };
        },
        200,
    );
    await lab.write(rowsOfTheSuccessor, [synchronous, other]);
    return { ...roles, etcd, awake, successor };
}

/** Longest wait for the thawed primary to make up its mind. */
const decisionSeconds = 60;

/**
 * Thaws the primary alone and lets it decide: until it has written itself into /sync, or some HA loops after it demoted
 * itself. Then the others are thawed.
 */
export async function thawAlone(lab: Lab, frozen: Frozen): Promise<string> {
    const { primary, synchronous, other, etcd, awake } = frozen;
    const logged = await lab.patroniLogFromNow(primary);
    await lab.signal("CONT", `postgresql-${primary}`, `patroni-${primary}`);
    const seen = new Set<string>();
    const end = Date.now() + decisionSeconds * 1000;
    let demoted = false;
    while (Date.now() < end) {
        const { leader, sync } = await lab.view(awake);
        seen.add(`lock ${leader ?? "free"}, /sync ${sync?.leader ?? "empty"}`);
        if (numberOf(sync?.leader ?? "") === primary) {
            break;
        }
        if (demoted) {
            await sleep(3000);
            break;
        }
        demoted = /Demoting self/.test(await lab.container.run(logged));
        await sleep(200);
    }
    await lab.signal(
        "CONT",
        `patroni-${synchronous}`,
        `patroni-${other}`,
        ...(etcd === undefined ? [] : [`etcd-${etcd}`]),
    );
    return `member-${primary} thawed${demoted ? ", demoted itself" : ""}: ${[...seen].join(" -> ")}`;
}
