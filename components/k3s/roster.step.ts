import type { MachineAccess } from "../machines/machine";
import { withSsh } from "../machines/ssh";
import { step } from "../progress";
import { inputDiff, type StepProvider } from "../step";
import { drain, forgetNode, listNodes, podsOn, uncordon, waitForServer, type ClusterNode } from "./cluster-access";

export interface RosterInputs {
    /** Every machine that belongs to the cluster. */
    members: MachineAccess[];
    /** Those of them that run the control plane. */
    servers: MachineAccess[];
}

/** Budgets may make a drain wait until an instance moved earlier has been cloned. */
const drainSeconds = 300;

/**
 * The nodes of the cluster are the machines of the configuration, and no others. A machine that was taken out of it is
 * retired here, when its successors run and before anything waits for the database to be whole: what is bound to its
 * disks could start nowhere else. Its own K3sNode is deleted only at the end of the update.
 */
export const provider: StepProvider<RosterInputs> = {
    async create(inputs) {
        await retireStrangers(inputs, []);
        return { id: "roster", outs: inputs };
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news)),
    async update(_id, olds, news) {
        await retireStrangers(news, olds.members);
        return news;
    },
};

async function retireStrangers({ members, servers }: RosterInputs, known: MachineAccess[]): Promise<void> {
    const server = await waitForServer(servers);
    const nodes = await withSsh(server, listNodes);
    for (const node of retirementOrder(nodes, members)) {
        await step(node.name, "leaving the cluster: no machine of the configuration has this name", () =>
            retire(
                server,
                node,
                known.find(({ name }) => name === node.name),
            ),
        );
    }
}

/** Nodes that are no machine of the configuration; the lost ones first, as budgets count what is missing on them. */
export function retirementOrder(nodes: ClusterNode[], members: MachineAccess[]): ClusterNode[] {
    const names = new Set(members.map(({ name }) => name));
    const strangers = nodes.filter(({ name }) => !names.has(name));
    return [...strangers.filter(({ ready }) => !ready), ...strangers.filter(({ ready }) => ready)];
}

async function retire(server: MachineAccess, node: ClusterNode, machine: MachineAccess | undefined): Promise<void> {
    if (node.ready) {
        await withSsh(server, (ssh) => drain(ssh, node.name, drainSeconds)).catch(async (error: unknown) => {
            await withSsh(server, (ssh) => uncordon(ssh, node.name));
            throw new Error(
                `it cannot be drained within ${drainSeconds} s, and its disks may hold what no other has; nothing was ` +
                    `removed. Bring the database to redundant first (make status): ${(error as Error).message}`,
            );
        });
        if (machine) {
            await stop(machine);
        }
        // Without any, a retirement was broken off after its drain, which leaves those of DaemonSets running.
    } else if (machine && (await podsOn(server, node.name)).length > 0 && (await runsPods(machine))) {
        throw new Error(
            "its k3s is silent, but the machine answers and its pods run, the primary may be among them; nothing was removed. " +
                "Start k3s there so that it can be drained, or switch the machine off, and update again",
        );
    }
    await forgetNode(server, node.name);
}

/** Containers outlive a k3s that was stopped or has crashed. A machine that cannot be reached is lost. */
const runsPods = (machine: MachineAccess): Promise<boolean> =>
    withSsh(machine, (ssh) => ssh.run("pgrep -f '[c]ontainerd-shim.*/run/k3s/'", { allowFailure: true }), 5).then(
        ({ exitCode }) => exitCode === 0,
        () => false,
    );

/** A kubelet or an etcd member that goes on would register again what is being removed. */
async function stop(machine: MachineAccess): Promise<void> {
    const units = ["k3s", "k3s-agent"].map((unit) => `systemctl disable --now ${unit} 2>/dev/null || true`);
    await withSsh(machine, (ssh) => ssh.run(units.join("; "), { allowFailure: true }), 5).catch((error: unknown) => {
        console.log(`${machine.name}: k3s was not stopped: ${(error as Error).message}`);
    });
}
