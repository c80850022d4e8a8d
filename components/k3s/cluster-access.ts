import type { MachineAccess } from "../machines/machine";
import { withSsh, type RunOptions, type RunResult, type SshConnection } from "../machines/ssh";
import { waitFor } from "../progress";

/** The first of the servers whose API answers, asked over SSH; undefined when none does. */
export async function readyServer(servers: MachineAccess[]): Promise<MachineAccess | undefined> {
    const answers = await Promise.all(servers.map(isReady));
    return servers.find((_, index) => answers[index]);
}

/** The same, for where one is known to be: its API may be starting, or short of time. */
export const waitForServer = (servers: MachineAccess[], timeoutSeconds = 120): Promise<MachineAccess> =>
    waitFor<MachineAccess>("the Kubernetes API", timeoutSeconds, async () => {
        const server = await readyServer(servers);
        const names = servers.map(({ name }) => name).join(", ");
        return server ? { done: server } : { waiting: `it answers on none of ${names}` };
    });

const isReady = (server: MachineAccess): Promise<boolean> =>
    withSsh(server, (ssh) => kubectl(ssh, "get --raw /readyz", { allowFailure: true }), 10).then(
        ({ exitCode, stdout }) => exitCode === 0 && stdout.trim() === "ok",
        () => false,
    );

/** kubectl on a server, with its own administrator's access. */
export const kubectl = (ssh: SshConnection, command: string, options: RunOptions = {}): Promise<RunResult> =>
    ssh.run(`test -x /usr/local/bin/k3s && k3s kubectl --request-timeout=30s ${command}`, {
        timeoutSeconds: 60,
        ...options,
    });

/** A Node, Pod or the like, as far as it says whether it is ready. */
export interface Conditioned {
    status: { conditions?: { type: string; status: string }[] };
}

export const saysReady = ({ status: { conditions } }: Conditioned): boolean =>
    conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;

export interface ClusterNode {
    name: string;
    /** By which the other nodes reach it; empty while it has not told any. */
    address: string;
    /** As the API sees it: a lost machine stays ready until its reports are missed (16 s). */
    ready: boolean;
}

interface NodeAddress {
    type: string;
    address: string;
}

export async function listNodes(ssh: SshConnection): Promise<ClusterNode[]> {
    const { stdout } = await kubectl(ssh, "get nodes -o json");
    const { items } = JSON.parse(stdout) as {
        items: (Conditioned & { metadata: { name: string }; status: { addresses?: NodeAddress[] } })[];
    };
    return items.map((node) => ({
        name: node.metadata.name,
        address: node.status.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
        ready: saysReady(node),
    }));
}

/** Names of the nodes that are not Ready: what runs there is told nothing, and nothing of it is heard. */
export const silentNodes = async (ssh: SshConnection): Promise<Set<string>> =>
    new Set((await listNodes(ssh)).filter(({ ready }) => !ready).map(({ name }) => name));

/** Names of the pods that the API has on a node, but for those of DaemonSets, which no drain moves. */
export async function podsOn(server: MachineAccess, node: string): Promise<string[]> {
    const get = `get pods --all-namespaces --field-selector spec.nodeName=${node} -o json`;
    const { stdout } = await withSsh(server, (ssh) => kubectl(ssh, get));
    const { items } = JSON.parse(stdout) as {
        items: { metadata: { name: string; ownerReferences?: { kind: string }[] } }[];
    };
    return items
        .filter(({ metadata }) => metadata.ownerReferences?.every(({ kind }) => kind !== "DaemonSet") ?? true)
        .map(({ metadata }) => metadata.name);
}

/**
 * Moves what can move off a living node, within its disruption budgets; a dead one is left as it is. With `mustLeave` a
 * node that still lives after its drain was refused is an error: nothing of it may be removed.
 */
export async function evacuate(server: MachineAccess, node: string, mustLeave = false): Promise<void> {
    await withSsh(server, async (ssh) => {
        const lives = async () => (await listNodes(ssh)).some(({ name, ready }) => name === node && ready);
        if (!(await lives())) {
            return;
        }
        const { exitCode, stderr } = await drain(ssh, node, 90, { allowFailure: true });
        if (mustLeave && exitCode !== 0 && (await lives())) {
            await uncordon(ssh, node);
            throw new Error(
                `${node} lives and cannot be drained, and protectData is on: its disks may hold what no other has, so ` +
                    "nothing was removed. Bring the missing instance or member back first (make status), or drain it by " +
                    `hand (kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data): ${stderr.trim()}`,
            );
        }
    });
}

/** Evicts a node's pods. Budgets hold: with an instance or a member missing elsewhere it waits, and gives up at last. */
export const drain = (
    ssh: SshConnection,
    node: string,
    timeoutSeconds: number,
    options: RunOptions = {},
): Promise<RunResult> =>
    ssh.run(`k3s kubectl drain ${node} --ignore-daemonsets --delete-emptydir-data --timeout=${timeoutSeconds}s`, {
        timeoutSeconds: timeoutSeconds + 10,
        ...options,
    });

/** After a drain that was given up: what was moved off the node may come back, and what is bound to its disks can start. */
export const uncordon = (ssh: SshConnection, node: string): Promise<RunResult> =>
    kubectl(ssh, `uncordon ${node}`, { allowFailure: true });

interface Volume {
    metadata: { name: string };
    spec: {
        claimRef?: { namespace: string; name: string };
        nodeAffinity?: {
            required?: { nodeSelectorTerms?: { matchExpressions?: { key: string; values?: string[] }[] }[] };
        };
    };
}

/**
 * Removes what the cluster still knows of a node whose disks are gone: volumes that could only live there and their
 * claims (the StatefulSets make new ones), the Node with its join password, and its pods. Without this a machine
 * that returns under the same name gets an empty folder mounted under an old claim.
 */
export async function forgetNode(server: MachineAccess, node: string): Promise<void> {
    await withSsh(server, async (ssh) => {
        const known = await kubectl(ssh, `get node ${node} --ignore-not-found -o name`);
        const volumes = JSON.parse((await kubectl(ssh, "get persistentvolumes -o json")).stdout) as { items: Volume[] };
        const pinned = volumes.items.filter((volume) => isPinnedTo(volume, node));
        if (known.stdout.trim() === "" && pinned.length === 0) {
            return;
        }
        await kubectl(ssh, `delete node ${node} --ignore-not-found --wait=false`);
        await deletePassword(ssh, node);
        for (const { metadata, spec } of pinned) {
            if (spec.claimRef) {
                const { namespace, name } = spec.claimRef;
                await kubectl(ssh, `-n ${namespace} delete pvc ${name} --ignore-not-found --wait=false`);
            }
            await kubectl(ssh, `delete pv ${metadata.name} --ignore-not-found --wait=false`);
            // Its provisioner would wait for the lost node to clean up; there is nothing left to clean.
            const patch = `patch pv ${metadata.name} --type=merge -p '{"metadata":{"finalizers":null}}'`;
            await kubectl(ssh, patch, { allowFailure: true });
        }
        const pods = `delete pods --all-namespaces --field-selector spec.nodeName=${node} --grace-period=0 --force --wait=false`;
        await ssh.run(`k3s kubectl ${pods}`, { allowFailure: true, timeoutSeconds: 60 });
    });
}

/** Kept for a node, it lets nobody else join under its name. */
export const deletePassword = (ssh: SshConnection, node: string): Promise<unknown> =>
    kubectl(ssh, `-n kube-system delete secret ${node}.node-password.k3s --ignore-not-found`);

const isPinnedTo = ({ spec }: Volume, node: string): boolean =>
    (spec.nodeAffinity?.required?.nodeSelectorTerms ?? []).some((term) =>
        (term.matchExpressions ?? []).some(
            ({ key, values }) => key === "kubernetes.io/hostname" && (values ?? []).includes(node),
        ),
    );
