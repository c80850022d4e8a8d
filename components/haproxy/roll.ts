import { kubectl, listNodes, saysReady, type Conditioned } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { labelSelector } from "../naming";
import { step, waitFor } from "../progress";

/** The proxies of a cluster: a DaemonSet of type `OnDelete`. */
export interface ProxySet {
    namespace: string;
    /** Name of the DaemonSet. */
    name: string;
    /** Changes when its pods' template does. */
    generation: string;
    /** The stack's machines: another node, which has no images, can have none. */
    nodes: string[];
}

interface ControllerRevision {
    metadata: { labels: Record<string, string> };
    revision: number;
}

interface Pod extends Conditioned {
    metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
    spec: { nodeName?: string };
}

/** Longer than a proxy takes to start on a host that gets little of its processors. */
const startSeconds = 180;

/**
 * Brings the proxies to their present template, one node after another, each when all others take clients; ends when every
 * node that is Ready has one. A node that is not Ready keeps none of the others from it, as it would in a rolling update of
 * Kubernetes; its own proxy is brought up to date by a later update.
 */
export async function rollProxies(ssh: SshConnection, cluster: string, set: ProxySet): Promise<void> {
    const outdated = await outdatedProxies(ssh, cluster, set);
    // Nobody misses those.
    outdated.sort((one, other) => Number(saysReady(one)) - Number(saysReady(other)));
    for (const { metadata, spec } of outdated) {
        const { name } = metadata;
        const node = spec.nodeName ?? "";
        await step(cluster, `restarting the proxy on ${node} with the new template`, async () => {
            // Anew: it may take clients by now, as after a silence of its kubelet.
            const takesClients = (await pods(ssh, cluster, set)).some(
                (pod) => pod.metadata.name === name && saysReady(pod),
            );
            if (takesClients) await waitForProxies(ssh, cluster, set, () => true, node);
            await kubectl(ssh, `-n ${set.namespace} delete pod ${name} --ignore-not-found --wait=true --timeout=60s`, {
                timeoutSeconds: 70,
            });
        });
    }
    const current = await currentRevision(ssh, cluster, set);
    await waitForProxies(ssh, cluster, set, (pod) => revisionOf(pod) === current);
}

/** Those on nodes that are Ready. */
export async function outdatedProxies(ssh: SshConnection, cluster: string, set: ProxySet): Promise<Pod[]> {
    const [nodes, current, all] = await Promise.all([
        readyNodes(ssh, set),
        currentRevision(ssh, cluster, set),
        pods(ssh, cluster, set),
    ]);
    return all.filter((pod) => revisionOf(pod) !== current && nodes.includes(pod.spec.nodeName ?? ""));
}

const revisionOf = ({ metadata }: Pod | ControllerRevision): string | undefined =>
    metadata.labels["controller-revision-hash"];

const readyNodes = async (ssh: SshConnection, { nodes }: ProxySet): Promise<string[]> =>
    (await listNodes(ssh)).filter(({ name, ready }) => ready && nodes.includes(name)).map(({ name }) => name);

/** Until every node that is Ready, but for one, has a proxy that takes clients and counts. */
async function waitForProxies(
    ssh: SshConnection,
    cluster: string,
    set: ProxySet,
    counts: (pod: Pod) => boolean,
    except?: string,
): Promise<void> {
    await waitFor(`the proxies of ${cluster}`, startSeconds, async () => {
        const serving = (await pods(ssh, cluster, set)).filter((pod) => saysReady(pod) && counts(pod));
        const served = new Set(serving.map(({ spec }) => spec.nodeName));
        // Asked every time: one that is lost meanwhile is not waited for.
        const missing = (await readyNodes(ssh, set)).filter((node) => node !== except && !served.has(node));
        return missing.length === 0 ? { done: true } : { waiting: `none takes clients on ${missing.join(", ")}` };
    });
}

async function list<Item>(ssh: SshConnection, cluster: string, { namespace }: ProxySet, kind: string): Promise<Item[]> {
    const selector = labelSelector(cluster, "haproxy");
    const { stdout } = await kubectl(ssh, `-n ${namespace} get ${kind} --selector ${selector} -o json`);
    return (JSON.parse(stdout) as { items: Item[] }).items;
}

const pods = async (ssh: SshConnection, cluster: string, set: ProxySet): Promise<Pod[]> =>
    (await list<Pod>(ssh, cluster, set, "pods")).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

/** Of the newest template, once the controller has seen it. */
async function currentRevision(ssh: SshConnection, cluster: string, set: ProxySet): Promise<string | undefined> {
    await waitFor(`DaemonSet ${set.name}`, startSeconds, async () => {
        const path = "{.metadata.generation} {.status.observedGeneration}";
        const { stdout } = await kubectl(ssh, `-n ${set.namespace} get daemonset ${set.name} -o jsonpath='${path}'`);
        const [generation, observed] = stdout.trim().split(" ");
        return generation === observed ? { done: true } : { waiting: "its controller has not seen the new template" };
    });
    const revisions = await list<ControllerRevision>(ssh, cluster, set, "controllerrevisions");
    const newest = revisions.sort((one, other) => other.revision - one.revision)[0];
    return newest && revisionOf(newest);
}
