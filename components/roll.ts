import { setTimeout as sleep } from "node:timers/promises";
import { kubectl, saysReady, silentNodes, type Conditioned } from "./k3s/cluster-access";
import type { SshConnection } from "./machines/ssh";
import { labelSelector } from "./naming";
import { step, waitFor } from "./progress";

/** A StatefulSet of type `OnDelete`: its pods get a new template here. */
export interface OnDeleteSet {
    /** Name of the database cluster. */
    cluster: string;
    namespace: string;
    name: string;
    /** As in the labels of its pods. */
    component: string;
}

export interface Roll {
    /** Seconds in which a broken pod that was restarted may get well before the next is. @default 0 */
    patience?: number;
    /** Ends when every member is well, so that one may be missing. */
    whole: () => Promise<unknown>;
    /** The order in which pods are restarted; asked when the set is whole. */
    order?: (names: string[]) => Promise<string[]>;
    /** Which of those that are not ready are broken. @default all */
    broken?: (names: string[]) => Promise<string[]>;
    /** Before this pod is restarted. */
    prepare?: (name: string) => Promise<void>;
}

interface Pod extends Conditioned {
    metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
    spec?: { nodeName?: string };
}

interface StatefulSet {
    metadata: { generation: number };
    status?: { observedGeneration?: number; updateRevision?: string };
}

/**
 * Brings pods of an earlier template to the present one: broken ones first, whatever the others are like, as nothing else may
 * mend them; then the others one by one, each time waiting until the set is whole again.
 */
export async function rollOutdated(ssh: SshConnection, set: OnDeleteSet, roll: Roll): Promise<void> {
    const outdated = await findOutdated(ssh, set);
    const notReady = outdated.filter((pod) => !saysReady(pod)).map(({ metadata }) => metadata.name);
    const broken = (await roll.broken?.(notReady)) ?? notReady;
    const unreachable = broken.length === 0 ? [] : await onSilentNodes(ssh, outdated, broken);
    for (const name of broken.filter((each) => !unreachable.some(({ pod }) => pod === each))) {
        await step(set.cluster, `restarting ${name}, which is not ready, with the new template`, () =>
            restartBroken(ssh, set, name, roll.patience ?? 0),
        );
    }
    refuseToWaitFor(unreachable, set);
    const names = outdated.map(({ metadata }) => metadata.name).filter((name) => !broken.includes(name));
    if (names.length === 0) {
        return;
    }
    await roll.whole();
    for (const name of (await roll.order?.(names)) ?? names) {
        await step(set.cluster, `restarting ${name} with the new template`, async () => {
            await roll.prepare?.(name);
            await deletePod(ssh, set, name);
            await roll.whole();
        });
    }
}

interface PlacedPod {
    pod: string;
    node: string;
}

/** A pod whose kubelet is silent neither ends nor starts: whoever waits for it waits until the machine is back. */
async function onSilentNodes(ssh: SshConnection, pods: Pod[], names: string[]): Promise<PlacedPod[]> {
    const silent = await silentNodes(ssh);
    return pods
        .map(({ metadata, spec }) => ({ pod: metadata.name, node: spec?.nodeName ?? "" }))
        .filter(({ pod, node }) => names.includes(pod) && silent.has(node));
}

function refuseToWaitFor(unreachable: PlacedPod[], { name }: OnDeleteSet): void {
    if (unreachable.length === 0) return;
    const list = unreachable.map(({ pod, node }) => `${pod} on ${node}`).join(", ");
    throw new Error(
        `${name}: pods that are well get what is new one by one, each when all others are well, and these are on a node that is ` +
            `not Ready: ${list}. Switch the machine on, or take it out of the settings, and run the update again. No pod that ` +
            "is well was restarted",
    );
}

async function restartBroken(ssh: SshConnection, set: OnDeleteSet, name: string, patience: number): Promise<void> {
    await deletePod(ssh, set, name);
    for (const end = Date.now() + patience * 1000; Date.now() < end; await sleep(1000)) {
        const { stdout } = await kubectl(ssh, `-n ${set.namespace} get pod ${name} -o json`, { allowFailure: true });
        if (stdout !== "" && saysReady(JSON.parse(stdout) as Pod)) return;
    }
}

async function findOutdated(ssh: SshConnection, set: OnDeleteSet): Promise<Pod[]> {
    const { cluster, namespace, name, component } = set;
    const updateRevision = await waitFor<string>(`StatefulSet ${name}`, 180, async () => {
        const { stdout } = await kubectl(ssh, `-n ${namespace} get statefulset ${name} -o json`);
        const { metadata, status } = JSON.parse(stdout) as StatefulSet;
        return status?.updateRevision !== undefined && status.observedGeneration === metadata.generation
            ? { done: status.updateRevision }
            : { waiting: "its controller has not seen the new template" };
    });
    const { stdout } = await kubectl(
        ssh,
        `-n ${namespace} get pods --selector ${labelSelector(cluster, component)} -o json`,
    );
    return (JSON.parse(stdout) as { items: Pod[] }).items.filter(
        ({ metadata }) =>
            metadata.deletionTimestamp === undefined && metadata.labels["controller-revision-hash"] !== updateRevision,
    );
}

async function deletePod(ssh: SshConnection, { namespace }: OnDeleteSet, name: string): Promise<void> {
    await kubectl(ssh, `-n ${namespace} delete pod ${name} --wait=true --timeout=300s`, { timeoutSeconds: 310 });
    await waitFor(`pod ${name}`, 180, async () => {
        const { stdout } = await kubectl(ssh, `-n ${namespace} get pod ${name} --ignore-not-found -o name`);
        return stdout.trim() === "" ? { waiting: "not made again" } : { done: true };
    });
}
