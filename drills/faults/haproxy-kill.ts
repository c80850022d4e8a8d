import { processes, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

export const haproxyKill: Fault = {
    name: "haproxy-kill",
    imitates: "the proxy on one machine dies, and the clients that came in through it go to another",
    bar: "unaffected",
    failover: "forbidden",
    async prepare(cluster) {
        // Apart from the primary's: what is felt is the loss of the entry alone.
        const { machine, ssh } = cluster.machineOf(await cluster.asynchronousReplica());
        return {
            target: machine.name,
            inject: async () => signal(ssh, "KILL", await processes(ssh, "haproxy")),
            heal: healsItself,
        };
    },
};
