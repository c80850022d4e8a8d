import { condition } from "./await-rule";
import type { KubeClient, KubeObject } from "./kube-client";
import { pluckMap, pluckMaps, pluckNumber, pluckText, type PropertyMap } from "./values";

const AT_MOST = 10;
// Part of every start.
const HARMLESS = new Set(["ContainerCreating", "PodInitializing", "Completed"]);

function containerProblem(pod: string, container: PropertyMap): string[] {
    if (container.ready === true) return [];
    const name = `pod ${pod}, container ${String(container.name)}`;
    const states = [
        pluckMap(container, "state", "waiting"),
        pluckMap(container, "state", "terminated"),
        pluckMap(container, "lastState", "terminated"),
    ];
    return states.flatMap((state) => {
        const reason = pluckText(state, "reason");
        if (!state || !reason || HARMLESS.has(reason)) return [];
        const exitCode = pluckNumber(state, "exitCode");
        const code = exitCode === undefined ? "" : ` (exit code ${exitCode})`;
        const message = pluckText(state, "message");
        return [`${name}: [${reason}]${code}${message ? ` ${message}` : ""}`];
    });
}

/** What the scheduler and the kubelet say of one pod. */
export function podProblems(pod: KubeObject): string[] {
    const name = String(pod.metadata.name);
    const unscheduled = condition(pod, "PodScheduled");
    const scheduling = unscheduled?.status === "False" ? [`pod ${name}: ${String(unscheduled.message)}`] : [];
    const containers = [
        ...pluckMaps(pod, "status", "initContainerStatuses"),
        ...pluckMaps(pod, "status", "containerStatuses"),
    ];
    return [...scheduling, ...containers.flatMap((container) => containerProblem(name, container))];
}

function selectorOf(owner: KubeObject): string | undefined {
    const labels = pluckMap(owner, "spec", "selector", "matchLabels");
    if (labels)
        return Object.entries(labels)
            .map(([key, value]) => `${key}=${String(value)}`)
            .join(",");
    return owner.kind === "Job" ? `job-name=${String(owner.metadata.name)}` : undefined;
}

/** Why the pods of a workload are not ready. Only adds to a message: without an answer it is empty. */
export async function workloadProblems(client: KubeClient, owner: KubeObject): Promise<string[]> {
    if (owner.kind === "Pod") return podProblems(owner).slice(0, AT_MOST);
    const selector = selectorOf(owner);
    if (!selector) return [];
    const pods = await client.list("v1", "Pod", pluckText(owner, "metadata", "namespace"), selector).catch(() => []);
    return [...new Set(pods.flatMap(podProblems))].slice(0, AT_MOST);
}
