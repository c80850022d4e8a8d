import { docker } from "../../components/docker-cli";
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
}

export const probeMachines = (state: StackState, tunnel: Tunnel, timeoutMs = 4000): Promise<MachineStatus[]> =>
    Promise.all(
        state.machines.map(async (machine) => {
            const [containerState, problem] = await Promise.all([
                stateOf(machine),
                withTimeout(tunnel.ssh(machine.access), timeoutMs, "SSH does not answer").then(
                    () => undefined,
                    (error: Error) => error.message,
                ),
            ]);
            const reachable = problem === undefined;
            const state = containerState ?? (reachable ? "running" : "unknown");
            return { name: machine.name, address: machine.access.address, state, reachable, problem };
        }),
    );

async function stateOf({ container }: KnownMachine): Promise<string | undefined> {
    if (container === undefined) {
        return undefined;
    }
    const inspect = ["container", "inspect", "--format", "{{.State.Status}}", container];
    const found = await docker(inspect, { allowFailure: true }).catch(() => "unknown");
    return found === "" ? "gone" : found;
}
