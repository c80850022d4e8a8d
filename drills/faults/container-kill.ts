import { processOf, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

export const containerKill: Fault = {
    name: "container-kill",
    imitates: "the primary's container is killed as a whole, as at its memory limit or by a failed liveness probe",
    bar: "process",
    failover: "allowed",
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const postmaster = await processOf(ssh, "postmaster");
        // The end of the first process of a PID namespace ends all the others.
        const { stdout } = await ssh.run(
            `for p in $(pgrep --ns ${postmaster} --nslist pid); do ` +
                `awk -v p=$p '$1 == "NSpid:" && $NF == 1 { print p }' /proc/$p/status; done`,
        );
        const first = Number(stdout.trim().split("\n")[0]);
        if (!first) {
            throw new Error(`${machine.name}: the first process of the container of ${name} is not found`);
        }
        return {
            target: `${name} on ${machine.name}`,
            inject: () => signal(ssh, "KILL", [first]),
            heal: healsItself,
        };
    },
};
