import { kubectl, listNodes, saysReady, type Conditioned } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { labels } from "../naming";
import { step, waitFor } from "../progress";

/** The proxies of a cluster: a DaemonSet of type `OnDelete`. */
export interface ProxySet {
    namespace: string;
    /** Name of the DaemonSet. */
    name: string;
    /** Changes when its pods' template does. */
    generation: string;
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
 * Brings the proxies to their present template, one node after another, each when the one before takes clients again; ends
 * when every node that is Ready has one. A node that is not Ready keeps none of the others from it, as it would in a rolling
 * update of Kubernetes; its own proxy is brought up to date by a later update.
 */
export async function rollProxies(ssh: SshConnection, cluster: string, set: ProxySet): Promise<void> {
    for (const { metadata, spec } of await outdatedProxies(ssh, cluster, set)) {
        await step(cluster, `restarting the proxy on ${spec.nodeName} with the new template`, async () => {
            await kubectl(ssh, `-n ${set.namespace} delete pod ${metadata.name} --wait=true --timeout=60s`, {
                timeoutSeconds: 70,
            });
            await waitForProxies(ssh, cluster, set, [spec.nodeName ?? ""]);
        });
    }
    await waitForProxies(ssh, cluster, set, await readyNodes(ssh));
}

/** Those on nodes that are Ready. */
export async function outdatedProxies(ssh: SshConnection, cluster: string, set: ProxySet): Promise<Pod[]> {
    const nodes = await readyNodes(ssh);
    const current = await currentRevision(ssh, cluster, set);
    return (await pods(ssh, cluster, set)).filter(
        (pod) => revisionOf(pod) !== current && nodes.includes(pod.spec.nodeName ?? ""),
    );
}

const revisionOf = ({ metadata }: Pod | ControllerRevision): string | undefined =>
    metadata.labels["controller-revision-hash"];

const readyNodes = async (ssh: SshConnection): Promise<string[]> =>
    (await listNodes(ssh)).filter(({ ready }) => ready).map(({ name }) => name);

async function waitForProxies(ssh: SshConnection, cluster: string, set: ProxySet, nodes: string[]): Promise<void> {
    const current = await currentRevision(ssh, cluster, set);
    await waitFor(`the proxies of ${cluster}`, startSeconds, async () => {
        const ready = (await pods(ssh, cluster, set)).filter((pod) => saysReady(pod) && revisionOf(pod) === current);
        const served = new Set(ready.map(({ spec }) => spec.nodeName));
        const missing = nodes.filter((node) => !served.has(node));
        return missing.length === 0 ? { done: true } : { waiting: `none takes clients on ${missing.join(", ")}` };
    });
}

const selector = (cluster: string): string =>
    Object.entries(labels(cluster, "haproxy"))
        .map(([key, value]) => `${key}=${value}`)
        .join(",");

async function list<Item>(ssh: SshConnection, cluster: string, { namespace }: ProxySet, kind: string): Promise<Item[]> {
    const { stdout } = await kubectl(ssh, `-n ${namespace} get ${kind} --selector ${selector(cluster)} -o json`);
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
