import { readyServer } from "../../components/k3s/cluster-access";
import { withSsh, type SshConnection } from "../../components/machines/ssh";
import type { Cluster } from "../cluster";

/** On a server of the stack whose Kubernetes API answers. */
export async function onServer<Result>(
    cluster: Cluster,
    act: (ssh: SshConnection) => Promise<Result>,
): Promise<Result> {
    const servers = cluster.state.machines.filter(({ role }) => role === "server").map(({ access }) => access);
    const server = await readyServer(servers);
    if (!server) {
        throw new Error("the Kubernetes API answers on no server");
    }
    return withSsh(server, act);
}

/** kubectl on a server of the stack; the drills' means where the Kubernetes API alone is not enough. */
export const kubectl = (cluster: Cluster, command: string, stdin?: string): Promise<string> =>
    onServer(cluster, async (ssh) => {
        const line = `k3s kubectl -n ${cluster.state.namespace} ${command}`;
        return (await ssh.run(line, { stdin, timeoutSeconds: 600 })).stdout;
    });

/** A script in a container. */
export const inContainer = (cluster: Cluster, pod: string, container: string, script: string): Promise<string> =>
    kubectl(cluster, `exec -i ${pod} -c ${container} -- bash`, script);

/** Statements as the superuser, on the primary. */
export async function asSuperuser(cluster: Cluster, statements: string, database = "app"): Promise<string> {
    const { name } = await cluster.primary();
    const psql = `exec -i ${name} -c postgresql -- psql --no-psqlrc -qAt -v ON_ERROR_STOP=1 -h /run/postgresql -U postgres -d ${database}`;
    return (await kubectl(cluster, psql, statements)).trim();
}

/** Ends the present segment of WAL, which has at least one record then, and returns its name. */
export const switchSegment = (cluster: Cluster): Promise<string> =>
    asSuperuser(
        cluster,
        "select pg_walfile_name(pg_switch_wal()) from pg_logical_emit_message(true, 'test', 'a record');",
    );
