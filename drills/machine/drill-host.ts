import { isIPv4 } from "node:net";
import type { Cluster } from "../cluster";
import type { Shell } from "./shell";

/** The address that a machine sees the drill come from. */
export async function drillAddress(ssh: Shell): Promise<string> {
    const [address = ""] = (await ssh.run('echo "$SSH_CONNECTION"')).stdout.trim().split(" ");
    // Of a socket that takes both.
    return address.replace(/^::ffff:/, "");
}

/** Why a machine may not be taken away: the drill itself runs on it. */
export async function drillHostObstacle({ state }: Cluster, ssh: Shell): Promise<string | undefined> {
    const from = await drillAddress(ssh);
    const own = state.machines.find(({ access }) =>
        [access.address, access.privateAddress, "127.0.0.1"].includes(from),
    );
    return own === undefined ? undefined : `the drill runs on ${own.name}: run it from another host`;
}

/** Why a machine cannot be cut from all but the drill. */
export async function exceptionObstacle(cluster: Cluster, ssh: Shell): Promise<string | undefined> {
    const from = await drillAddress(ssh);
    return isIPv4(from)
        ? drillHostObstacle(cluster, ssh)
        : `${ssh.machine.name} is reached from ${from}, and only an IPv4 address can be left out of the cut`;
}
