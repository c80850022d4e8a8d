import type { KnownMachine } from "../../commands/status/stack-state";
import { docker } from "../../components/docker-cli";
import { waitForBoot } from "../../components/machines/ssh";
import type { Cluster } from "../cluster";
import { drillHostObstacle } from "./drill-host";

/**
 * What only somebody outside a machine can do to it: its provider. The docker provider can do all of it. A host that the
 * stack did not make is reset from within, which is as sudden, and comes up again by itself: it is away for as long as it
 * takes to boot.
 */
export interface MachinePower {
    /** At once, without a shutdown: what no disk holds is gone. */
    off(): Promise<void>;
    /** Returns when it has booted, where that is not the stack's to decide. */
    on(): Promise<void>;
    /** Why `off` did nothing; undefined when it did. */
    notOff(): Promise<string | undefined>;
    /** No instruction runs any more and nothing is lost, as when a hypervisor takes a snapshot. */
    pause(): Promise<void>;
    resume(): Promise<void>;
    /** Seconds since its kernel started, where it starts by itself. */
    upFor?: () => Promise<number>;
}

/** Longer than a server's firmware takes. */
const bootSeconds = 900;

export function powerOf(cluster: Cluster, machine: KnownMachine): MachinePower {
    const { container, access } = machine;
    if (container === undefined) {
        let before: string | undefined;
        return {
            off: async () => void (before = await reset(cluster, machine)),
            on: () => waitForBoot(access, bootSeconds),
            async notOff() {
                // One that is not back yet says nothing.
                const now = await bootOf(cluster, machine).catch(() => undefined);
                return before !== undefined && now === before ? `${machine.name} was not reset` : undefined;
            },
            upFor: async () => Number((await cluster.shell(machine).run("cut -d ' ' -f 1 /proc/uptime")).stdout),
            pause: () => Promise.reject(new Error(providerObstacle([machine]))),
            resume: () => Promise.reject(new Error(providerObstacle([machine]))),
        };
    }
    const run = async (...args: string[]): Promise<void> => void (await docker([...args, container]));
    return {
        off: () => run("kill", "--signal", "KILL"),
        on: () => run("start"),
        async notOff() {
            const running = await docker(["inspect", "--format", "{{.State.Running}}", container]);
            return running.trim() === "true" ? `${machine.name} runs` : undefined;
        },
        pause: () => run("pause"),
        async resume() {
            // One that was not paused yet, or was resumed and nobody heard of it.
            const paused = await docker(["inspect", "--format", "{{.State.Paused}}", container]);
            if (paused.trim() === "true") await run("unpause");
        },
    };
}

/** Why one of the machines cannot be paused or deleted, which takes its provider; undefined when all can. */
export function providerObstacle(machines: KnownMachine[]): string | undefined {
    const foreign = machines.find(({ container }) => container === undefined);
    return foreign && `nothing here can pause or delete ${foreign.name}: the stack did not make it, and SSH cannot`;
}

/** Why one of the machines cannot be switched off and come back; undefined when all can. */
export async function powerObstacle(cluster: Cluster): Promise<string | undefined> {
    const others = cluster.state.machines.filter(({ container }) => container === undefined);
    const reasons = await Promise.all(others.map((machine) => resetObstacle(cluster, machine)));
    return reasons.find((reason) => reason !== undefined);
}

/** Inside a container the request would reach the kernel of its host. */
async function resetObstacle(cluster: Cluster, machine: KnownMachine): Promise<string | undefined> {
    const [{ name }, ssh] = [machine, cluster.shell(machine)];
    const { exitCode } = await ssh.run(`! systemd-detect-virt --quiet --container && test -w ${trigger}`, {
        allowFailure: true,
    });
    return exitCode === 0
        ? drillHostObstacle(cluster, ssh)
        : `${name} is a container that this stack did not make, or has no ${trigger}`;
}

const trigger = "/proc/sysrq-trigger";

/** Another one after every start of its kernel. */
async function bootOf(cluster: Cluster, machine: KnownMachine): Promise<string> {
    return (
        await cluster.shell(machine).run("cat /proc/sys/kernel/random/boot_id", { timeoutSeconds: 5 })
    ).stdout.trim();
}

/** The connection ends with the machine, so that the command never returns. Returns the boot that was ended. */
async function reset(cluster: Cluster, machine: KnownMachine): Promise<string> {
    const obstacle = await resetObstacle(cluster, machine);
    if (obstacle !== undefined) {
        throw new Error(obstacle);
    }
    const boot = await bootOf(cluster, machine);
    await cluster
        .shell(machine)
        .run(`echo 1 > /proc/sys/kernel/sysrq; echo b > ${trigger}`, { allowFailure: true, timeoutSeconds: 5 })
        .catch(() => undefined);
    return boot;
}
