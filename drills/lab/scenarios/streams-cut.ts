import { partsOf, successorOf } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

/** Ends every replication connection 20 times a second for 3 s: as many HA loops see that nobody streams. */
const cutStreams = `do $$ begin
    for attempt in 1..60 loop
        perform pg_stat_clear_snapshot();
        perform pg_terminate_backend(pid) from pg_stat_replication;
        perform pg_sleep(0.05);
    end loop;
end $$`;

/** Four times what a failover takes. */
const patienceMs = 4 * (timers.patroni.ttl + 4) * 1000;

export const streamsCut: Scenario = {
    name: "streams-cut",
    imitates: "all replication connections break for some seconds, and then the primary dies for good",
    // Standbys come back only after the primary is dead.
    parameters: { wal_retrieve_retry_interval: "10s" },
    async run(lab) {
        const { primary } = await lab.roles();
        await lab.write(5);
        await lab.sql(`set synchronous_commit = local; ${cutStreams}`, [primary]);
        const { sync } = await lab.view();
        await lab.signal("KILL", ...partsOf(primary));
        const successor = await successorOf(lab, primary, patienceMs);
        await lab.startPatroni(primary);
        return {
            note: `/sync named ${sync?.sync_standby ?? "nobody"}; ${successor ?? "nobody"} was promoted`,
            stuck: successor === undefined,
        };
    },
};
