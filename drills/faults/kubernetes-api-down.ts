import { setTimeout as sleep } from "node:timers/promises";
import { ports } from "../../components/naming";
import type { Cluster } from "../cluster";
import { cutObstacle, NetworkCut, somewhereNothingLost } from "../machine/network-cut";
import { processOf, signal } from "../machine/processes";
import type { Shell } from "../machine/shell";
import type { Fault } from "./fault";

const serversOf = (cluster: Cluster): Shell[] =>
    cluster.state.machines.filter(({ role }) => role === "server").map((machine) => cluster.shell(machine));

export const kubernetesApiDown: Fault = {
    name: "kubernetes-api-down",
    imitates: "the Kubernetes API answers on no server for 3 min, and the primary's PostgreSQL dies meanwhile",
    bar: "process",
    failover: "allowed",
    holdSeconds: 180,
    long: true,
    obstacle: (cluster) => cutObstacle(serversOf(cluster)),
    async prepare(cluster) {
        const servers = serversOf(cluster);
        const match = `-p tcp --dport ${ports.kubernetes}`;
        const arriving = { table: "raw", chain: "PREROUTING", match, target: "DROP" } as const;
        // A pod's connection to the Service becomes one to this port only after that.
        const forService = { table: "filter", chain: "INPUT", match, target: "DROP" } as const;
        const cuts = servers.map((ssh) => new NetworkCut(ssh, [arriving, forService]));
        const { name, machine, ssh } = await cluster.primaryMachine();
        return {
            target: `the API of ${servers.length} servers, then ${name} on ${machine.name}`,
            async inject() {
                await Promise.all(cuts.map((cut) => cut.apply()));
                await sleep(30_000);
                await signal(ssh, "KILL", [await processOf(ssh, "postmaster")]);
            },
            notBitten: () => somewhereNothingLost(cuts),
            heal: async () => void (await Promise.all(cuts.map((cut) => cut.lift()))),
        };
    },
};
