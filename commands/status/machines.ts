import { docker } from "../../components/docker-cli";
import { data } from "../../components/k3s/installation";
import type { SshConnection } from "../../components/machines/ssh";
import { withTimeout } from "../../components/progress";
import type { KnownMachine, StackState } from "./stack-state";
import type { Tunnel } from "./tunnel";

export interface MachineStatus {
    name: string;
    address: string;
    /** What the container engine says of a docker machine; of others only reachability is known. */
    state: string;
    reachable: boolean;
    problem?: string;
    /** Those that databases, etcd and images are on; undefined while it is not reachable. */
    disks?: { folder: string; usedPercent: number }[];
}

export const probeMachines = (state: StackState, tunnel: Tunnel, timeoutMs = 4000): Promise<MachineStatus[]> =>
    Promise.all(
        state.machines.map(async (machine) => {
            const [containerState, seen] = await Promise.all([
                stateOf(machine),
                withTimeout(tunnel.ssh(machine.access).then(disksOf), timeoutMs, "SSH does not answer").then(
                    (disks) => ({ disks }),
                    (error: Error) => ({ problem: error.message }),
                ),
            ]);
            const reachable = !("problem" in seen);
            const state = containerState ?? (reachable ? "running" : "unknown");
            return { name: machine.name, address: machine.access.address, state, reachable, ...seen };
        }),
    );

/** Each once, also where volumes have a disk of their own. */
async function disksOf(ssh: SshConnection): Promise<NonNullable<MachineStatus["disks"]>> {
    const { stdout } = await ssh.run(
        `df --output=source,pcent ${data} ${data}/storage 2>/dev/null | tail -n +2 | uniq`,
        {
            allowFailure: true,
        },
    );
    return stdout.split("\n").flatMap((line, index) => {
        const usedPercent = Number(/(\d+)%$/.exec(line.trim())?.[1] ?? NaN);
        return Number.isNaN(usedPercent) ? [] : [{ folder: index === 0 ? data : `${data}/storage`, usedPercent }];
    });
}

async function stateOf({ container }: KnownMachine): Promise<string | undefined> {
    if (container === undefined) {
        return undefined;
    }
    const inspect = ["container", "inspect", "--format", "{{.State.Status}}", container];
    const found = await docker(inspect, { allowFailure: true }).catch(() => "unknown");
    return found === "" ? "gone" : found;
}
