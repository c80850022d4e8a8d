import type { MachineAccess } from "../machines/machine";
import { withSsh, type RunResult } from "../machines/ssh";

export interface ImageRun {
    /** Present on the machine. */
    image: string;
    /** Name of the container, not used by another. */
    id: string;
    /** For bash. It exits by itself: ctr does not always pass on that its input has ended. */
    script: string;
    limitSeconds: number;
    /** Folders in memory that the script may write to. */
    scratch?: string[];
}

/** Runs a script in a container on a machine's own network, outside Kubernetes; nothing of it stays. */
export function runInImage(
    machine: MachineAccess,
    { image, id, script, limitSeconds, scratch = [] }: ImageRun,
): Promise<RunResult> {
    const mounts = scratch.map((folder) => `--mount type=tmpfs,src=tmpfs,dst=${folder},options=mode=1777`).join(" ");
    const bash = `/usr/bin/timeout --kill-after 5 ${limitSeconds} /bin/bash`;
    return withSsh(machine, (ssh) =>
        ssh.run(`k3s ctr --namespace k8s.io run --rm --net-host ${mounts} ${image} ${id} ${bash}`, {
            stdin: script,
            allowFailure: true,
            timeoutSeconds: limitSeconds + 30,
        }),
    );
}
