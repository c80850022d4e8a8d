import { ports } from "../../components/naming";
import type { Cluster, MachineOf } from "../cluster";
import { drillAddress, exceptionObstacle } from "../machine/drill-host";
import { cutObstacle, NetworkCut, notBothLost, nothingLost, wayOut, type Rule } from "../machine/network-cut";
import { processOf } from "../machine/processes";
import type { Fault, PreparedFault } from "./fault";

/** Applied to the primary's pod only: its machine, and the proxy on it, stay connected. */
async function podCut(cluster: Cluster, rules: (primary: string) => Promise<Rule[]>): Promise<PreparedFault> {
    const { name, machine, ssh } = await cluster.primaryMachine();
    const cut = new NetworkCut(ssh, await rules(name), await processOf(ssh, "postmaster"));
    return prepared(cut, `${name} on ${machine.name}`);
}

const prepared = (cut: NetworkCut, target: string): PreparedFault => ({
    target,
    inject: () => cut.apply(),
    notBitten: () => nothingLost([cut]),
    heal: () => cut.lift(),
});

async function podObstacle(cluster: Cluster): Promise<string | undefined> {
    return cutObstacle([(await cluster.primaryMachine()).ssh]);
}

async function machineObstacle(cluster: Cluster): Promise<string | undefined> {
    const { ssh } = await cluster.primaryMachine();
    return (await cutObstacle([ssh])) ?? exceptionObstacle(cluster, ssh);
}

const drop = (chain: "INPUT" | "OUTPUT", match: string): Rule => ({ table: "filter", chain, match, target: "DROP" });

export const cutFromEtcd: Fault = {
    name: "cut-from-etcd",
    imitates: "the primary reaches no etcd member, but its replicas: failsafe mode keeps it primary",
    bar: "unaffected",
    failover: "forbidden",
    awayUntilHealed: true,
    holdSeconds: 60,
    obstacle: podObstacle,
    prepare: (cluster) =>
        podCut(cluster, async () => [
            drop("OUTPUT", `-p tcp --dport ${ports.etcdClient}`),
            drop("INPUT", `-p tcp --sport ${ports.etcdClient}`),
        ]),
};

/** Addresses of the other instances, fixed ones and those of their pods. */
async function othersOf(cluster: Cluster, primary: string): Promise<{ fixed: string[]; pods: string[] }> {
    const others = cluster.state.instances.filter(({ name }) => name !== primary);
    return {
        fixed: others.map(({ address }) => address),
        pods: await Promise.all(others.map(({ name }) => cluster.podAddress(name))),
    };
}

export const cutFromReplicas: Fault = {
    name: "cut-from-replicas",
    imitates: "the primary reaches etcd, but no replica: it can acknowledge nothing and gives way",
    bar: "unconfirmed",
    failover: "expected",
    awayUntilHealed: true,
    holdSeconds: 40,
    obstacle: podObstacle,
    prepare: (cluster) =>
        podCut(cluster, async (primary) => {
            const { fixed, pods } = await othersOf(cluster, primary);
            return [...fixed, ...pods].flatMap((address) => [
                drop("OUTPUT", `-d ${address}`),
                drop("INPUT", `-s ${address}`),
            ]);
        }),
};

async function machineCut(cluster: Cluster, directions: ("in" | "out")[]): Promise<PreparedFault> {
    const { name, machine, ssh } = await cluster.primaryMachine();
    const cut = await cutOff(cluster, { name, machine, ssh }, directions);
    const target = `${machine.name} with ${name}: ${directions.join(" and ")}`;
    return { ...prepared(cut, target), notBitten: () => notBothLost(cut) };
}

/** All packets between a machine and the others get lost; those of the drills, and of clients beside them, do not. */
async function cutOff(cluster: Cluster, { machine, ssh }: MachineOf, directions: ("in" | "out")[]) {
    const other = cluster.state.machines.find(({ name }) => name !== machine.name);
    const [device, drills] = await Promise.all([wayOut(ssh, other?.access.privateAddress ?? ""), drillAddress(ssh)]);
    const rules: Record<"in" | "out", Rule> = {
        in: { table: "raw", chain: "PREROUTING", match: `-i ${device} ! -s ${drills}`, target: "DROP" },
        out: { table: "mangle", chain: "POSTROUTING", match: `-o ${device} ! -d ${drills}`, target: "DROP" },
    };
    return new NetworkCut(
        ssh,
        directions.map((direction) => rules[direction]),
    );
}

export const cutFromAll: Fault = {
    name: "cut-from-all",
    imitates: "the primary's machine loses the others in both directions, while clients still reach it",
    bar: "machine",
    failover: "expected",
    awayUntilHealed: true,
    holdSeconds: 60,
    obstacle: machineObstacle,
    prepare: (cluster) => machineCut(cluster, ["in", "out"]),
};

export const cutOneWayIn: Fault = {
    name: "cut-one-way-in",
    imitates: "the primary's machine still sends to the others, but nothing of theirs arrives",
    bar: "machine",
    failover: "expected",
    awayUntilHealed: true,
    holdSeconds: 60,
    obstacle: machineObstacle,
    prepare: (cluster) => machineCut(cluster, ["in"]),
};

export const cutOneWayOut: Fault = {
    name: "cut-one-way-out",
    imitates: "the primary's machine still hears the others, but nothing that it sends arrives",
    bar: "machine",
    failover: "expected",
    awayUntilHealed: true,
    holdSeconds: 60,
    obstacle: machineObstacle,
    prepare: (cluster) => machineCut(cluster, ["out"]),
};
