import { stringify } from "yaml";
import { initdb } from "../../components/patroni/config";
import { dynamicConfig, type DynamicConfig } from "../../components/patroni/dynamic-config";
import { deriveTimers } from "../../components/recovery";
import { versions } from "../../components/versions";
import { prefix } from "./etcd-view";

/** The shortest timers the stack offers: a round waits for ttl. */
export const timers = deriveTimers({ rto: 13, rpo: 0 });

/** Parameters of PostgreSQL that a scenario changes. */
export type Parameters = Record<string, string>;

/** What a scenario has different from the stack. */
export interface Different {
    parameters?: Parameters;
    /** A planted mistake in Patroni's dynamic configuration. */
    dynamicConfig?: DynamicConfig;
}

/** patroni.yml of member 1, 2 or 3: the stack's dynamic configuration, without certificates and passwords. */
export function memberConfig(number: number, { parameters = {}, dynamicConfig: changed }: Different): string {
    const address = `127.0.0.${number}`;
    const data = `/lab/data/patroni-${number}`;
    const asInTheStack = dynamicConfig({
        timers,
        synchronousStandbyCount: 1,
        maxConnections: 40,
        sharedBuffers: "32MB",
        parameters,
    });
    const [, namespace = "", scope = ""] = prefix.split("/");
    return stringify({
        scope,
        namespace: `/${namespace}`,
        name: `member-${number}`,
        restapi: { listen: `${address}:8008`, connect_address: `${address}:8008` },
        etcd3: { hosts: [1, 2, 3].map((member) => `127.0.0.${member}:2379`) },
        bootstrap: {
            dcs: { ...asInTheStack, ...changed },
            initdb,
        },
        postgresql: {
            listen: `${address}:5432`,
            connect_address: `${address}:5432`,
            data_dir: `${data}/pgdata`,
            bin_dir: `/usr/lib/postgresql/${versions.postgresql}/bin`,
            pgpass: `${data}/pgpass`,
            authentication: {
                superuser: { username: "postgres" },
                replication: { username: "replicator" },
                rewind: { username: "rewind" },
            },
            parameters: { unix_socket_directories: data },
            pg_hba: ["local all all trust", "host all all 127.0.0.0/8 trust", "host replication all 127.0.0.0/8 trust"],
            basebackup: [{ checkpoint: "fast" }],
        },
    });
}
