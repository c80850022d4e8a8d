import { processes, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

export const patroniKill: Fault = {
    name: "patroni-kill",
    imitates: "Patroni of the primary dies of a bug of its own and takes its container with it",
    bar: "process",
    failover: "allowed",
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        // As the first process of its container Patroni watches a second one, which does the work.
        const worker = (await processes(ssh, "patroni")).at(-1);
        if (worker === undefined) {
            throw new Error(`${machine.name} runs no Patroni`);
        }
        return {
            target: `${name} on ${machine.name}`,
            inject: () => signal(ssh, "KILL", [worker]),
            heal: healsItself,
        };
    },
};
