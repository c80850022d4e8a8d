import { setTimeout as sleep } from "node:timers/promises";
import { endpoints, prefix } from "../etcd-view";
import { numberOf, partsOf, type Lab, type Roles } from "../lab";
import type { Outcome, Scenario } from "./scenario";

/** Rows that the old primary acknowledges when it leads again. */
const rowsOfTheOldPrimary = 20;
/** Beyond ttl, the race and a crash recovery: who does not lead by then, or is not back, never will. */
const patienceSeconds = 60;

/** As soon as the command succeeds in the lab, these processes get the signal. */
const signalWhen = (command: string, signal: string, ...parts: string[]): string =>
    `timeout 60 bash -c 'until ${command}; do sleep 0.02; done' && lab-signal ${signal} ${parts.join(" ")}`;

const value = (key: string): string => `etcdctl --endpoints ${endpoints([1])} get ${prefix}${key} --print-value-only`;

/** Whether this member leads in time, and on which timeline. */
async function leads(lab: Lab, number: number): Promise<number | undefined> {
    for (const end = Date.now() + patienceSeconds * 1000; Date.now() < end; await sleep(200)) {
        const { leader, members } = await lab.view();
        const member = members[`member-${number}`];
        if (leader !== undefined && numberOf(leader) === number && member?.role === "primary") return member.timeline;
    }
    return undefined;
}

/** Both end with the synchronous standby promoted and killed, and nobody who has received anything of its timeline. */
async function play(lab: Lab, promoteAndKill: (roles: Roles) => string): Promise<Outcome> {
    const roles = await lab.roles();
    const { primary, synchronous, other } = roles;
    await lab.write(5);
    const before = (await lab.view()).members[`member-${primary}`]?.timeline ?? NaN;
    await lab.signal("STOP", ...partsOf(other));
    await lab.container.run(promoteAndKill(roles));
    // A PostgreSQL that was killed has no process to go on.
    await lab.container.run(`lab-signal CONT patroni-${primary}; lab-signal CONT postgresql-${primary} || true`);
    const timeline = await leads(lab, primary);
    const failsafe = await lab.etcdctl(`get ${prefix}failsafe --print-value-only`);
    // Then the killed one lived long enough to say that it goes on without the others (upstream's rule, decision 018).
    const isLeftOut = !failsafe.includes(`"member-${primary}"`);
    await lab.signal("CONT", `postgresql-${other}`, `patroni-${other}`);
    if (timeline !== undefined) await lab.write(rowsOfTheOldPrimary, [primary, other]);
    await lab.startPatroni(synchronous);
    const isBack = await lab.whole(patienceSeconds).then(
        () => true,
        () => false,
    );
    const [ours, theirs] = [await lab.beginning(primary), await lab.beginning(synchronous)];
    if (!isBack) await lab.remake(synchronous);
    return {
        note:
            `member-${synchronous} was promoted to timeline ${before + 1} and killed, ` +
            (timeline === undefined
                ? `nobody led without it${isLeftOut ? `: /failsafe does not name member-${primary}` : ""}`
                : `member-${primary} led on timeline ${timeline}`) +
            `; member-${synchronous} ${isBack ? "came back" : "did not come back"}`,
        stuck: timeline === undefined || !isBack,
        begunTwice: timeline === before + 1 && theirs !== undefined && theirs !== ours,
    };
}

export const unseenPromotion: Scenario = {
    name: "unseen-promotion",
    imitates:
        "a new primary dies before anybody has heard of its timeline, the old primary leads again, and it returns",
    run: (lab) =>
        play(lab, ({ primary, synchronous }) => {
            const host = `127.0.0.${synchronous}`;
            const query = `psql --no-psqlrc -qAt -h ${host} -U postgres -c "select pg_is_in_recovery()" 2>/dev/null`;
            return (
                `lab-signal STOP patroni-${primary} postgresql-${primary} && ` +
                signalWhen(`[ "$(${query})" = f ]`, "KILL", ...partsOf(synchronous))
            );
        }),
};

export const unseenHistory: Scenario = {
    name: "unseen-history",
    imitates:
        "PostgreSQL of the primary dies, and the new primary is lost when it has published its timeline and nothing else",
    run: (lab) =>
        play(lab, ({ primary, synchronous }) => {
            const successor = `member-${synchronous}`;
            return [
                `lab-signal KILL postgresql-${primary}`,
                // It goes on before its own lease has run out: a member that is gone would not be asked.
                signalWhen(`[ "$(${value("leader")})" = ${successor} ]`, "STOP", `patroni-${primary}`),
                signalWhen(`${value("history")} | grep -q ${successor}`, "KILL", ...partsOf(synchronous)),
            ].join(" && ");
        }),
};
