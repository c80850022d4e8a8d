import type { KnownMachine } from "../../commands/status/stack-state";
import { docker } from "../../components/docker-cli";
import type { Cluster } from "../cluster";

/**
 * What only somebody outside a machine can do to it: its provider. The docker provider can do all of it; hosts that
 * the stack did not make are switched off from within, and then a person must switch them on.
 */
export interface MachinePower {
    /** At once, without a shutdown: what no disk holds is gone. */
    off(): Promise<void>;
    on(): Promise<void>;
    /** No instruction runs any more and nothing is lost, as when a hypervisor takes a snapshot. */
    pause(): Promise<void>;
    resume(): Promise<void>;
}

export function powerOf(cluster: Cluster, machine: KnownMachine): MachinePower {
    const { container } = machine;
    if (container === undefined) {
        return {
            off: () => switchOffFromWithin(cluster, machine),
            on: () => Promise.reject(new Error(`switch ${machine.name} on by hand: the stack has no power over it`)),
            pause: () => Promise.reject(new Error(pauseObstacle(machine))),
            resume: () => Promise.reject(new Error(pauseObstacle(machine))),
        };
    }
    const run = async (...args: string[]): Promise<void> => void (await docker([...args, container]));
    return {
        off: () => run("kill", "--signal", "KILL"),
        on: () => run("start"),
        pause: () => run("pause"),
        resume: () => run("unpause"),
    };
}

/** Why a machine cannot be paused, or switched off and on again; undefined when it can. */
export const pauseObstacle = ({ name, container }: KnownMachine): string | undefined =>
    container === undefined ? `nothing here can pause ${name}: its provider has no such call` : undefined;

export const powerObstacle = ({ name, container }: KnownMachine): string | undefined =>
    container === undefined ? `nothing here can switch ${name} on again: its provider has no such call` : undefined;

async function switchOffFromWithin(cluster: Cluster, machine: KnownMachine): Promise<void> {
    // Never inside a container: the request would reach the kernel of its host.
    const ssh = await cluster.tunnel.ssh(machine.access);
    const command =
        "systemd-detect-virt --quiet --container && exit 3; echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger";
    const { exitCode } = await ssh
        .run(command, { allowFailure: true, timeoutSeconds: 5 })
        .catch(() => ({ exitCode: 0 }));
    if (exitCode === 3) {
        throw new Error(`${machine.name} is a container that this stack did not make; it is not switched off`);
    }
}
