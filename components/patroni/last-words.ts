import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import type { ClusterLocation } from "./api";

/** Lines of an instance's log that say why it waits: Patroni repeats itself each loop. */
const keptLines = 6;

/**
 * The state of the cluster's pods, what befell them, and the end of each instance's log, for the error of a wait that
 * gave up. Never throws: what cannot be read is said instead.
 */
export async function lastWords(ssh: SshConnection, { namespace, instances }: ClusterLocation): Promise<string> {
    const read = async (command: string): Promise<string> => {
        const options = { allowFailure: true, timeoutSeconds: 40 };
        const answer = await kubectl(ssh, `-n ${namespace} ${command}`, options).catch((error: unknown) => ({
            stdout: "",
            stderr: (error as Error).message,
        }));
        return (answer.stdout.trim() || answer.stderr.trim() || "(nothing)").replaceAll(/^/gm, "  ");
    };
    const sections = ["pods:", await read("get pods --no-headers -o wide")];
    sections.push("events:", await read(`get events --sort-by=.lastTimestamp | tail -n ${2 * keptLines}`));
    for (const instance of instances) {
        sections.push(`last lines of ${instance}:`);
        sections.push(await read(`logs ${instance} -c postgresql --tail=${keptLines}`));
    }
    return sections.join("\n");
}
