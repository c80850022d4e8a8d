import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { ports } from "../naming";
import { paths } from "./config";

/** Where the instances of a cluster are found. */
export interface ClusterLocation {
    cluster: string;
    namespace: string;
    /** Names of the instances' pods. */
    instances: string[];
}

/** One member as Patroni's `/cluster` reports it. */
export interface Member {
    name: string;
    role: string;
    state: string;
    timeline?: number;
    lag?: number | string;
    /** Parameters were changed that PostgreSQL takes up only when it starts. */
    pending_restart?: boolean;
    pending_restart_reason?: Record<string, { old_value: string; new_value: string }>;
}

/** The primary, out of recovery. */
export const leads = ({ role, state }: Member): boolean => role === "leader" && state === "running";

/** A replica that receives what the primary writes. */
export const follows = ({ role, state }: Member): boolean => role !== "leader" && state === "streaming";

export async function listMembers(ssh: SshConnection, location: ClusterLocation): Promise<Member[]> {
    return (await askAnyInstance<{ members: Member[] }>(ssh, location, "GET", "/cluster")).members;
}

/** Asks Patroni's REST API from inside a pod, with the pod's own certificate; the first that answers. */
export async function askAnyInstance<Answer>(
    ssh: SshConnection,
    { namespace, instances }: ClusterLocation,
    method: "GET" | "PATCH" | "POST",
    path: string,
    body?: object,
    maximumSeconds = 10,
): Promise<Answer> {
    const curl =
        `curl --silent --show-error --fail-with-body --max-time ${maximumSeconds} --request ${method} --cacert ${paths.tls}/patroni-ca.crt ` +
        `--cert ${paths.tls}/tls.crt --key ${paths.tls}/tls.key ${body ? "--data @- " : ""}https://localhost:${ports.patroni}${path}`;
    const failures: string[] = [];
    for (const instance of instances) {
        const answer = await kubectl(ssh, `-n ${namespace} exec -i ${instance} -- ${curl}`, {
            allowFailure: true,
            stdin: body ? JSON.stringify(body) : undefined,
            timeoutSeconds: maximumSeconds + 20,
        });
        if (answer.exitCode === 0) {
            return (method === "POST" ? answer.stdout : JSON.parse(answer.stdout)) as Answer;
        }
        // What Patroni says, then what curl says of it.
        const said = [answer.stdout, answer.stderr].map((text) => text.trim().split("\n").pop()).filter(Boolean);
        failures.push(`${instance}: ${said.join(", ")}`);
    }
    throw new Error(`Patroni answers on no instance: ${failures.join("; ")}`);
}
