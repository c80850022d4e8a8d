import { superuserPsql } from "../../components/patroni/config";
import type { Cluster } from "../cluster";

/** kubectl on a server of the stack; the drills' means where the Kubernetes API alone is not enough. */
export async function kubectl(cluster: Cluster, command: string, stdin?: string): Promise<string> {
    const ssh = await cluster.server();
    const line = `k3s kubectl -n ${cluster.state.namespace} ${command}`;
    return (await ssh.run(line, { stdin, timeoutSeconds: 600 })).stdout;
}

/** A script in a container. */
export const inContainer = (cluster: Cluster, pod: string, container: string, script: string): Promise<string> =>
    kubectl(cluster, `exec -i ${pod} -c ${container} -- bash`, script);

/** Statements as the superuser in the application's database, on the primary. */
export async function asSuperuser(cluster: Cluster, statements: string): Promise<string> {
    const { name } = await cluster.primary();
    const psql = `exec -i ${name} -c postgresql -- ${superuserPsql} -d ${cluster.readWrite[0]?.database}`;
    return (await kubectl(cluster, psql, statements)).trim();
}

/** Ends the present segment of WAL, which has at least one record then, and returns its name. */
export const switchSegment = (cluster: Cluster): Promise<string> =>
    asSuperuser(
        cluster,
        "select pg_walfile_name(pg_switch_wal()) from pg_logical_emit_message(true, 'test', 'a record');",
    );
