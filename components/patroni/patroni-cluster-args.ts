import type * as pulumi from "@pulumi/pulumi";
import type { CertificateAuthority } from "../certificates/certificates";
import type { InstanceBackup } from "../pgbackrest/pgbackrest";
import type { DatabaseArgs } from "../postgres-ha-args";
import type { Timers } from "../recovery";
import type { Resources, WorkloadContext } from "../workload";

export interface PatroniClusterArgs {
    context: WorkloadContext;
    cluster: string;
    image: string;
    /** Number of PostgreSQL instances, one per node. */
    instances: number;
    synchronousStandbyCount: number;
    storage: string;
    sharedBuffers: string;
    maxConnections: number;
    parameters: Record<string, string>;
    database: Required<DatabaseArgs>;
    resources: Resources;
    timers: Timers;
    serviceCidr: string;
    /** The repository; undefined: nothing is archived. */
    backup?: InstanceBackup;
    etcd: { hosts: string[]; authority: CertificateAuthority; ready: pulumi.Resource };
    /** Names and addresses under which clients reach PostgreSQL: the certificate carries them. */
    serverNames: { dnsNames: string[]; ipAddresses: string[] };
}
