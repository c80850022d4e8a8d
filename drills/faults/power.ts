import type { KnownMachine } from "../../commands/status/stack-state";
import type { Cluster } from "../cluster";

/** At once, without a shutdown: what no disk holds is gone. */
export async function powerOff(cluster: Cluster, machine: KnownMachine): Promise<void> {
    if (machine.container !== undefined) {
        await cluster.docker(["kill", "--signal", "KILL", machine.container]);
        return;
    }
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

export async function powerOn(cluster: Cluster, machine: KnownMachine): Promise<void> {
    await cluster.docker(["start", cluster.container(machine, "switching on")]);
}
