import { paths } from "../../components/patroni/config";
import type { Fault } from "./fault";

/** The bracket keeps the pattern from matching the command that looks for it. */
const postmaster = `[p]ostgres -D ${paths.data}`;

/** Through the machine, not the pod: it needs no Kubernetes API. */
export const postmasterKill: Fault = {
    name: "postmaster-kill",
    imitates: "PostgreSQL of the primary is ended without warning, as the kernel does when memory runs out",
    outageBar: 4,
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        const ssh = await cluster.tunnel.ssh(machine.access);
        const { stdout } = await ssh.run(`pgrep -o -f '${postmaster}'`);
        return {
            target: `${name} on ${machine.name}`,
            inject: async () => void (await ssh.run(`kill -9 ${Number(stdout.trim())}`)),
            heal: () => Promise.resolve(),
        };
    },
};
