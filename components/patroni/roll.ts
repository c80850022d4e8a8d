import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { labels } from "../naming";
import { step, waitFor } from "../progress";
import { askAnyInstance, listMembers, type ClusterLocation } from "./api";

interface Pod {
    metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
    status: { conditions?: { type: string; status: string }[] };
}

interface StatefulSet {
    metadata: { generation: number };
    status?: { observedGeneration?: number; updateRevision?: string };
}

/**
 * Brings pods of an earlier template to the present one: broken ones at once, then the replicas one by one, each
 * time waiting until the cluster is whole again, and the primary last, after a switchover.
 */
export async function rollOutdated(
    ssh: SshConnection,
    location: ClusterLocation,
    whole: () => Promise<unknown>,
): Promise<void> {
    const outdated = await findOutdated(ssh, location);
    const isReady = ({ status }: Pod) =>
        (status.conditions ?? []).some(({ type, status: state }) => type === "Ready" && state === "True");
    for (const pod of outdated.filter((candidate) => !isReady(candidate))) {
        await step(location.cluster, `restarting ${pod.metadata.name}, which is not ready, with the new template`, () =>
            deletePod(ssh, location, pod.metadata.name),
        );
    }
    const names = outdated.filter(isReady).map(({ metadata }) => metadata.name);
    if (names.length === 0) {
        return;
    }
    await whole();
    const leader = (await listMembers(ssh, location)).find(({ role }) => role === "leader")?.name;
    for (const name of [
        ...names.filter((candidate) => candidate !== leader),
        ...names.filter((candidate) => candidate === leader),
    ]) {
        await step(location.cluster, `restarting ${name} with the new template`, async () => {
            if (name === leader) {
                await switchOver(ssh, location, name);
                await whole();
            }
            await deletePod(ssh, location, name);
            await whole();
        });
    }
}

async function findOutdated(ssh: SshConnection, { cluster, namespace }: ClusterLocation): Promise<Pod[]> {
    const updateRevision = await waitFor<string>(`StatefulSet ${cluster}`, 180, async () => {
        const { stdout } = await kubectl(ssh, `-n ${namespace} get statefulset ${cluster} -o json`);
        const { metadata, status } = JSON.parse(stdout) as StatefulSet;
        return status?.updateRevision !== undefined && status.observedGeneration === metadata.generation
            ? { done: status.updateRevision }
            : { waiting: "its controller has not seen the new template" };
    });
    const selector = Object.entries(labels(cluster, "postgresql")).map(([key, value]) => `${key}=${value}`);
    const { stdout } = await kubectl(ssh, `-n ${namespace} get pods --selector ${selector.join(",")} -o json`);
    return (JSON.parse(stdout) as { items: Pod[] }).items.filter(
        ({ metadata }) =>
            metadata.deletionTimestamp === undefined && metadata.labels["controller-revision-hash"] !== updateRevision,
    );
}

async function deletePod(ssh: SshConnection, { namespace }: ClusterLocation, name: string): Promise<void> {
    await kubectl(ssh, `-n ${namespace} delete pod ${name} --wait=true --timeout=300s`, { timeoutSeconds: 310 });
    await waitFor(`pod ${name}`, 180, async () => {
        const { stdout } = await kubectl(ssh, `-n ${namespace} get pod ${name} --ignore-not-found -o name`);
        return stdout.trim() === "" ? { waiting: "not made again" } : { done: true };
    });
}

/** Patroni answers when it is done: seconds, or half a minute on a host that gets little of its processors. */
const switchoverSeconds = 60;

/** Hands the primary's role to the synchronous standby, which has every acknowledged write. */
export async function switchOver(ssh: SshConnection, location: ClusterLocation, leader: string): Promise<void> {
    const holding = async (role: string) => (await listMembers(ssh, location)).find((member) => member.role === role);
    const candidate = (await holding("sync_standby"))?.name;
    const request = { leader, candidate };
    try {
        await askAnyInstance<string>(ssh, location, "POST", "/switchover", request, switchoverSeconds);
    } catch (error) {
        // The answer was lost or late, and the others refuse what is done already.
        const now = await holding("leader").catch(() => undefined);
        if (now === undefined || now.name === leader) throw error;
    }
}
