import { setTimeout as sleep } from "node:timers/promises";
import { ports } from "../../components/naming";
import { cutObstacle, NetworkCut, type Rule } from "../machine/network-cut";
import { processOf, signal } from "../machine/processes";
import type { Fault } from "./fault";

/**
 * In strict mode a primary that has no standby for a moment names `*`, and /sync names nobody: if it dies right then,
 * nobody may be promoted although the standbys hold every acknowledged row.
 */
export const streamsCutThenKill: Fault = {
    name: "streams-cut-then-kill",
    imitates: "all replication streams break for 2 s, and then the primary's machine kills its instance",
    bar: "frozen",
    failover: "allowed",
    obstacle: async (cluster) => cutObstacle([(await cluster.primaryMachine()).ssh]),
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const others = cluster.state.instances.filter((instance) => instance.name !== name);
        const pods = await Promise.all(others.map((other) => cluster.podAddress(other.name)));
        const rules = pods.map((address): Rule => ({
            table: "filter",
            chain: "INPUT",
            // A standby whose connection is closed resets the primary's end of it: that must arrive.
            match: `-s ${address} -p tcp ! --tcp-flags RST RST --dport ${ports.postgresql}`,
            target: "REJECT --reject-with tcp-reset",
        }));
        const postmaster = await processOf(ssh, "postmaster");
        const cut = new NetworkCut(ssh, rules, postmaster);
        const standbys = pods.map((address) => `dst ${address}`).join(" or ");
        const open =
            `nsenter --net=/proc/${postmaster}/ns/net ss --no-header --tcp --numeric state established ` +
            `"sport = :${ports.postgresql} and ( ${standbys} )"`;
        return {
            target: `${name} on ${machine.name}`,
            async inject() {
                await cut.apply();
                await sleep(2000);
                const { stdout } = await ssh.run(open);
                if (stdout.trim() !== "") {
                    throw new Error(`${name}: streams survive the cut:\n${stdout}`);
                }
                await signal(ssh, "KILL", [postmaster]);
            },
            heal: () => cut.lift(),
        };
    },
};
