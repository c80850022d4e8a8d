import { processOf, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

/** Through the machine, not the pod: it needs no Kubernetes API. */
export const postmasterKill: Fault = {
    name: "postmaster-kill",
    imitates: "PostgreSQL of the primary is ended without warning, as the kernel does when memory runs out",
    bar: "process",
    failover: "allowed",
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const postmaster = await processOf(ssh, "postmaster");
        return {
            target: `${name} on ${machine.name}`,
            inject: () => signal(ssh, "KILL", [postmaster]),
            heal: healsItself,
        };
    },
};
