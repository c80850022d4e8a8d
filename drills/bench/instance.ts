import type { Shell } from "../machine/shell";
import { processOf } from "../machine/processes";

/**
 * A bash script in the instance of a machine, as root. Through the machine and not through kubectl: it works while Kubernetes
 * stands still, and its processes count to nobody's container. The script travels on stdin before its own input, because
 * quoting it through two shells would not survive.
 */
export async function inInstance(ssh: Shell, script: string, timeoutSeconds: number, input = ""): Promise<string> {
    const pid = await processOf(ssh, "postmaster");
    const enter = `nsenter --target ${pid} --mount --uts --ipc --net --pid`;
    const command = `${enter} -- bash -c 'eval "$(head -c ${Buffer.byteLength(script)})"'`;
    return (await ssh.run(command, { stdin: script + input, timeoutSeconds })).stdout;
}
