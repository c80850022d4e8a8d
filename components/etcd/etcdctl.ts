import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { ports } from "../naming";

/** Where the members of etcd are found. */
export interface EtcdLocation {
    namespace: string;
    /** Names of the members' pods. */
    members: string[];
}

/** In the pod of the first member in which the command can be run. It asks that member unless other endpoints are given. */
export async function etcdctl(
    ssh: SshConnection,
    { namespace, members }: EtcdLocation,
    command: string,
    endpoints = [`127.0.0.1:${ports.etcdClient}`],
): Promise<string> {
    const urls = endpoints.map((endpoint) => `https://${endpoint}`).join(",");
    const script =
        'etcdctl --cacert "$TLS_DIR/ca.crt" --cert "$TLS_DIR/tls.crt" --key "$TLS_DIR/tls.key" --command-timeout 5s ' +
        `--endpoints "${urls}" ${command}\n`;
    const failures: string[] = [];
    for (const member of members) {
        const answer = await kubectl(ssh, `-n ${namespace} exec -i ${member} -- bash`, {
            allowFailure: true,
            stdin: script,
        });
        if (answer.exitCode === 0) {
            return answer.stdout;
        }
        failures.push(`${member}: ${answer.stderr.trim().split("\n").pop()}`);
    }
    throw new Error(`etcd answers in no pod: ${failures.join("; ")}`);
}
