import type { Cluster } from "../cluster";
import { cutObstacle, NetworkCut, nothingLost } from "../machine/network-cut";
import { process, signal } from "../machine/processes";
import type { Fault } from "./fault";

/** Host and port of the backup repository, from the stack's own output: `s3://bucket/path at host:port`. */
export function repositoryAddress(repository: string): { host: string; port: number } {
    const [, host, port] = / at (.+):(\d+)$/.exec(repository) ?? [];
    if (host === undefined) {
        throw new Error(`the output backup.repository tells no address: ${repository}`);
    }
    return { host, port: Number(port) };
}

const repositoryOf = ({ state }: Cluster): string | undefined =>
    (state.outputs as { backup?: { repository: string } }).backup?.repository;

export const objectStoreDown: Fault = {
    name: "object-store-down",
    imitates: "the backup repository answers nobody, and the primary's PostgreSQL dies meanwhile",
    bar: "process",
    failover: "allowed",
    holdSeconds: 40,
    async obstacle(cluster) {
        return repositoryOf(cluster) === undefined
            ? "the stack has no backup"
            : cutObstacle((await cluster.primaryMachine()).ssh);
    },
    async prepare(cluster) {
        const { host, port } = repositoryAddress(repositoryOf(cluster) ?? "");
        const cuts = await Promise.all(
            cluster.state.machines.map(async ({ access }) => {
                const match = `-d ${host} -p tcp --dport ${port}`;
                const rule = { table: "raw", chain: "PREROUTING", match, target: "DROP" } as const;
                return new NetworkCut(await cluster.tunnel.ssh(access), [rule]);
            }),
        );
        const { name, machine, ssh } = await cluster.primaryMachine();
        const postmaster = await process(ssh, "postmaster");
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
