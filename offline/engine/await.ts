import { setTimeout as sleep } from "node:timers/promises";
import { waitForRule } from "./await-for";
import type { Circumstances, Rule, Verdict, Wanted } from "./await-rule";
import { ruleFor, skipsAwait } from "./await-rules";
import { ApiError, type KubeClient, type KubeObject, objectName, objectNamespace, Unreachable } from "./kube-client";
import { annotation } from "./kube-objects";
import { workloadProblems } from "./pod-problems";
import type { PropertyMap } from "./values";

const FIRST_POLL_MILLISECONDS = 100;
const LONGEST_POLL_MILLISECONDS = 2000;
export const DEFAULT_TIMEOUT_SECONDS = 600;

export interface Waiting {
    readonly client: KubeClient;
    readonly timeoutSeconds: number;
    readonly cancelled: AbortSignal;
    readonly say: (status: string) => void;
}

export interface Outcome {
    readonly live: KubeObject;
    /** Why it is not ready; nothing when it is. */
    readonly problems: readonly string[];
}

/** customTimeouts of the resource, else the annotation, else ten minutes. */
export function timeoutSeconds(custom: number, inputs: PropertyMap): number {
    if (custom > 0) return custom;
    const written = Number.parseInt(annotation(inputs, "timeoutSeconds") ?? "", 10);
    return written > 0 ? written : DEFAULT_TIMEOUT_SECONDS;
}

/** The rule for an object: the user's own conditions replace the built-in one. */
export function chosenRule(inputs: PropertyMap, live: KubeObject): Rule | undefined {
    if (skipsAwait(inputs)) return undefined;
    const own = annotation(inputs, "waitFor");
    return own ? waitForRule(own) : ruleFor(live);
}

async function fetchWanted(client: KubeClient, live: KubeObject, wanted: Wanted): Promise<KubeObject[]> {
    const { apiVersion, kind, name } = wanted;
    const namespace = wanted.clusterScoped ? undefined : objectNamespace(live);
    if (name === undefined) {
        const selector = Object.entries(wanted.labels ?? {}).map(([key, value]) => `${key}=${String(value)}`);
        return client.list(apiVersion, kind, namespace, selector.join(","));
    }
    return client.get({ apiVersion, kind, metadata: { name, namespace } }).then(
        (found) => [found],
        (error: unknown) => {
            if (error instanceof ApiError && (error.status === 404 || error.status === 403)) return [];
            throw error;
        },
    );
}

async function fetchRelated(client: KubeClient, rule: Rule, live: KubeObject): Promise<Circumstances["related"]> {
    const wanted = rule.wants?.(live) ?? [];
    const found = await Promise.all(
        wanted.map(async (want) => [want.kind, await fetchWanted(client, live, want)] as const),
    );
    return Object.fromEntries(found);
}

function versions(related: Circumstances["related"]): string {
    return JSON.stringify(Object.values(related).map((list) => list.map((object) => object.metadata.resourceVersion)));
}

async function failure(client: KubeClient, live: KubeObject, headline: string, verdict: Verdict): Promise<Outcome> {
    const own = verdict.ready ? [] : (verdict.problems ?? [verdict.status]);
    return { live, problems: [headline, ...own, ...(await workloadProblems(client, live))] };
}

/** Waits until the rule is content, the time is up or the user has had enough. */
export async function awaitReady(rule: Rule, first: KubeObject, creating: boolean, waiting: Waiting): Promise<Outcome> {
    const { client, cancelled } = waiting;
    const deadline = Date.now() + waiting.timeoutSeconds * 1000;
    let live = first;
    let verdict: Verdict;
    let seen = "";
    let changedAt = Date.now();
    for (let pause = FIRST_POLL_MILLISECONDS; ; pause = Math.min(pause * 1.5, LONGEST_POLL_MILLISECONDS)) {
        try {
            const related = await fetchRelated(client, rule, live);
            if (versions(related) !== seen) [seen, changedAt] = [versions(related), Date.now()];
            verdict = rule.judge(live, { related, creating, quietSeconds: (Date.now() - changedAt) / 1000 });
        } catch (error) {
            // An API server that goes away for a moment (its node restarts) does not end the wait.
            if (!(error instanceof Unreachable) && !(error instanceof ApiError && error.status >= 500)) throw error;
            verdict = { ready: false, status: error.message };
        }
        if (verdict.ready) return { live, problems: [] };
        const name = objectName(live);
        if (verdict.final)
            return failure(client, live, `Resource '${name}' was created but failed to initialize`, verdict);
        if (cancelled.aborted) return failure(client, live, `Resource operation was cancelled for "${name}"`, verdict);
        if (Date.now() >= deadline) {
            if (verdict.acceptAtTimeout) return { live, problems: [] };
            return failure(client, live, `'${name}' timed out waiting to be Ready`, verdict);
        }
        waiting.say(verdict.status);
        const left = Math.max(deadline - Date.now(), 1);
        await sleep(Math.min(pause, left), undefined, { signal: cancelled }).catch(() => undefined);
        if (!cancelled.aborted) live = await refetched(client, live);
    }
}

async function refetched(client: KubeClient, live: KubeObject): Promise<KubeObject> {
    try {
        return await client.get(live);
    } catch (error) {
        if (error instanceof Unreachable || (error instanceof ApiError && error.status >= 500)) return live;
        if (error instanceof ApiError && error.status === 404) {
            throw new Error(`${live.kind} ${objectName(live)} was deleted by someone else while waiting for it`, {
                cause: error,
            });
        }
        throw error;
    }
}

/** Judges once, for a refresh. */
export async function judgeNow(rule: Rule, live: KubeObject, client: KubeClient): Promise<Outcome> {
    const related = await fetchRelated(client, rule, live);
    const verdict = rule.judge(live, { related, creating: false, quietSeconds: Number.POSITIVE_INFINITY });
    if (verdict.ready) return { live, problems: [] };
    return failure(client, live, `Resource '${objectName(live)}' was created but failed to initialize`, verdict);
}

/** Waits until the object is gone, or another one has its name. */
export async function awaitGone(object: KubeObject, waiting: Waiting): Promise<void> {
    const deadline = Date.now() + waiting.timeoutSeconds * 1000;
    for (let pause = FIRST_POLL_MILLISECONDS; ; pause = Math.min(pause * 1.5, LONGEST_POLL_MILLISECONDS)) {
        const live = await waiting.client.get(object).catch((error: unknown) => {
            if (error instanceof ApiError && error.status === 404) return undefined;
            if (error instanceof Unreachable || (error instanceof ApiError && error.status >= 500)) return object;
            throw error;
        });
        if (!live || (object.metadata.uid && live.metadata.uid !== object.metadata.uid)) return;
        const finalizers = Array.isArray(live.metadata.finalizers) ? live.metadata.finalizers.join(", ") : "";
        const held = finalizers === "" ? "" : `; finalizers that hold it: ${finalizers}`;
        const why = waiting.cancelled.aborted
            ? "the wait was cancelled"
            : `it is still there after ${waiting.timeoutSeconds} s`;
        if (waiting.cancelled.aborted || Date.now() >= deadline) {
            throw new Error(`${live.kind} ${objectName(live)} is marked for deletion, but ${why}${held}`);
        }
        waiting.say(`waiting until it is gone${held}`);
        await sleep(pause, undefined, { signal: waiting.cancelled }).catch(() => undefined);
    }
}
