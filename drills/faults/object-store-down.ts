import { isIPv4 } from "node:net";
import type { Cluster } from "../cluster";
import { cutObstacle, NetworkCut, nothingLost } from "../machine/network-cut";
import { processOf, signal } from "../machine/processes";
import type { Fault } from "./fault";

/** Host and port of the backup repository, from the stack's own output: `s3://bucket/path at host:port`. */
export function repositoryAddress(repository: string): { host: string; port: number } {
    const [, host, port] = / at (.+):(\d+)$/.exec(repository) ?? [];
    if (host === undefined) {
        throw new Error(`the output backup.repository tells no address: ${repository}`);
    }
    return { host, port: Number(port) };
}

const repositoryOf = ({ state }: Cluster): string | undefined => state.outputs.backup?.repository;

export const objectStoreDown: Fault = {
    name: "object-store-down",
    imitates: "the backup repository answers nobody, and the primary's PostgreSQL dies meanwhile",
    bar: "process",
    failover: "allowed",
    holdSeconds: 40,
    async obstacle(cluster) {
        const repository = repositoryOf(cluster);
        if (repository === undefined) return "the stack has no backup";
        const { host } = repositoryAddress(repository);
        return isIPv4(host)
            ? cutObstacle(cluster.shells)
            : `${host} is a name, whose addresses change while it is cut off`;
    },
    async prepare(cluster) {
        const { host, port } = repositoryAddress(repositoryOf(cluster) ?? "");
        const match = `-d ${host} -p tcp --dport ${port}`;
        const rule = { table: "raw", chain: "PREROUTING", match, target: "DROP" } as const;
        const cuts = cluster.shells.map((ssh) => new NetworkCut(ssh, [rule]));
        const { name, machine, ssh } = await cluster.primaryMachine();
        const postmaster = await processOf(ssh, "postmaster");
        return {
            target: `${host}:${port}, then ${name} on ${machine.name}`,
            async inject() {
                await Promise.all(cuts.map((cut) => cut.apply()));
                await signal(ssh, "KILL", [postmaster]);
            },
            notBitten: () => nothingLost(cuts),
            heal: async () => void (await Promise.all(cuts.map((cut) => cut.lift()))),
        };
    },
};
