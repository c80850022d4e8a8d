import type { Timers } from "../recovery";
import { defaultParameters } from "./parameters";

export interface DynamicConfigInput {
    timers: Timers;
    synchronousStandbyCount: number;
    maxConnections: number;
    sharedBuffers: string;
    /** The user's own parameters; they win over the defaults, not over what safety needs. */
    parameters: Record<string, string>;
}

export type DynamicConfig = Record<string, unknown>;

/**
 * Patroni's dynamic configuration, kept in etcd and the same for all members. It is written at the first bootstrap
 * and again by every update, because Patroni reads the bootstrap section only once.
 */
export function dynamicConfig(input: DynamicConfigInput): DynamicConfig {
    const { patroni, replication } = input.timers;
    return {
        ttl: patroni.ttl,
        loop_wait: patroni.loopWait,
        retry_timeout: patroni.retryTimeout,
        primary_start_timeout: patroni.primaryStartTimeout,
        primary_stop_timeout: patroni.primaryStopTimeout,
        // Only members named in /sync may race under strict mode; a byte limit on top could veto the one that has
        // every acknowledged row. 1 TiB: never.
        maximum_lag_on_failover: 1024 ** 4,
        check_timeline: true,
        // `on` and strict: the only mode in which no acknowledged row was lost under a double freeze.
        synchronous_mode: "on",
        synchronous_mode_strict: true,
        synchronous_node_count: input.synchronousStandbyCount,
        failsafe_mode: true,
        member_slots_ttl: "30min",
        postgresql: {
            use_pg_rewind: true,
            use_slots: true,
            remove_data_directory_on_rewind_failure: true,
            remove_data_directory_on_diverged_timelines: true,
            parameters: {
                ...defaultParameters,
                shared_buffers: input.sharedBuffers,
                max_connections: input.maxConnections,
                wal_sender_timeout: `${replication.walSenderTimeout}s`,
                wal_receiver_timeout: `${replication.walReceiverTimeout}s`,
                ...input.parameters,
            },
        },
    };
}

/** How many standbys a commit waits for, as far as they stream; Patroni waits for one at the least (`strict`). */
export const synchronousStandbys = (config: DynamicConfig): number => Number(config["synchronous_node_count"] ?? 1);
