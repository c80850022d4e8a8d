import type * as pulumi from "@pulumi/pulumi";
import type { Endpoints } from "../components/entries";
import type { ClusterStatus } from "../components/patroni/until-whole";
import type { BackupOutput } from "../components/pgbackrest/backups";
import type { PostgresHA } from "../components/postgres-ha";

/** The contract with applications: names and meanings change only with a CHANGELOG line. */
export interface StackOutputs {
    connectionString: pulumi.Output<string>;
    readOnlyConnectionString: pulumi.Output<string>;
    caCertificate: pulumi.Output<string>;
    endpoints: Endpoints;
    kubeconfig: pulumi.Output<string>;
    status: pulumi.Output<ClusterStatus>;
    /** Missing in a stack without backups. */
    backup?: BackupOutput;
}

export const stackOutputs = (postgres: PostgresHA): StackOutputs => ({
    connectionString: postgres.connectionString,
    readOnlyConnectionString: postgres.readOnlyConnectionString,
    caCertificate: postgres.caCertificate,
    endpoints: postgres.endpoints,
    kubeconfig: postgres.kubeconfig,
    status: postgres.status,
    ...(postgres.backup && { backup: postgres.backup }),
});
