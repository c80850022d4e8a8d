import { setTimeout as sleep } from "node:timers/promises";
import { numberOf } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

/** Four times the HA loop's pause: Patroni has seen that nobody streams. */
const withoutStreamsMs = 4000;
/** Twice what a failover takes. */
const patienceMs = 2 * (timers.patroni.ttl + 4) * 1000;

export const streamsCut: Scenario = {
    name: "streams-cut",
    imitates: "all replication connections break for some seconds, and then the primary dies for good",
    // Standbys come back only after the primary is dead.
    parameters: { wal_retrieve_retry_interval: "10s" },
    async run(lab) {
        const { primary } = await lab.roles();
        await lab.write(5);
        await lab.sql("select pg_terminate_backend(pid) from pg_stat_replication", [primary]);
        await sleep(withoutStreamsMs);
        const { sync } = await lab.view();
        await lab.signal("KILL", `patroni-${primary}`, `postgresql-${primary}`);
        const end = Date.now() + patienceMs;
        let successor: string | undefined;
        while (successor === undefined && Date.now() < end) {
            const { leader, members } = await lab.view();
            const leads = leader !== undefined && numberOf(leader) !== primary && members[leader]?.role === "primary";
            successor = leads ? leader : undefined;
            await sleep(200);
        }
        await lab.startPatroni(primary);
        return {
            note: `/sync named ${sync?.sync_standby ?? "nobody"}; ${successor ?? "nobody"} was promoted`,
            stuck: successor === undefined,
        };
    },
};
