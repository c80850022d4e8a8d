import { inputDiff, type StepProvider } from "../../step";
import type { MachineAccess } from "../machine";
import { RemoteError, withSsh } from "../ssh";

export interface HostInputs {
    access: MachineAccess;
}

export interface HostOutputs extends HostInputs {
    /** The host's machine-id: another one means a reinstalled host whose earlier data is gone. */
    instance: string;
}

/** A host that somebody else made: nothing is created, its SSH access and fitness are checked. */
export const provider: StepProvider<HostInputs, HostOutputs> = {
    async create(inputs) {
        const instance = await inspect(inputs.access);
        return { id: inputs.access.name, outs: { ...inputs, instance } };
    },
    async read(_id, host) {
        try {
            return { ...host, instance: await inspect(host.access) };
        } catch (error) {
            // Silence is no proof that a host is gone: its data may be all there.
            console.log(`${host.access.name}: not checked: ${(error as Error).message}`);
            return host;
        }
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news)),
    async update(_id, _olds, news) {
        return { ...news, instance: await inspect(news.access) };
    },
};

const inspect = (access: MachineAccess): Promise<string> =>
    withSsh(access, async (ssh) => {
        const { stdout } = await ssh.run("id -u; cat /etc/machine-id; ps -p 1 -o comm=");
        const [user, machineId, init] = stdout.split("\n");
        if (user !== "0") {
            throw new RemoteError(access, "check", `user ${access.ssh.user} is not root; k3s is installed as root`);
        }
        if (init?.trim() !== "systemd") {
            throw new RemoteError(access, "check", `its first process is ${init?.trim()}, systemd is needed`);
        }
        return (machineId ?? "").trim();
    });
