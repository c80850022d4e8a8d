import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubeClient, type KubeObject, NoKind } from "./kube-client";
import { annotation } from "./kube-objects";
import { isMap, isTrue, pluckMap, pluckMaps, type PropertyMap } from "./values";

/** Writing objects the way the official provider does: POST to create, server-side apply to update. */

// Objects made by POST are this manager's until the first update hands them to the resource's own.
export const CREATE_MANAGER = "pulumi-kubernetes";

export interface WritePolicy {
    readonly enablePatchForce: boolean;
    readonly upsertExistingObjects: boolean;
}

export interface Write {
    readonly client: KubeClient;
    readonly object: KubeObject;
    readonly manager: string;
    readonly policy: WritePolicy;
    readonly isPatch: boolean;
    readonly preview: boolean;
    readonly cancelled: AbortSignal;
    readonly say: (status: string) => void;
}

// A custom resource may be written before the API server serves its new CRD, anything before its namespace.
const RETRY_SECONDS = [1, 2, 4, 8, 16];

async function untilKnown(write: Write, attempt: () => Promise<KubeObject>): Promise<KubeObject> {
    for (let count = 0; ; count += 1) {
        try {
            return await attempt();
        } catch (error) {
            const missing = error instanceof NoKind || (error instanceof ApiError && error.status === 404);
            const wait = RETRY_SECONDS[count];
            if (!missing || wait === undefined || write.preview || write.cancelled.aborted) throw error;
            write.say(`retry in ${wait} s: ${error.message}`);
            await sleep(wait * 1000, undefined, { signal: write.cancelled }).catch(() => undefined);
        }
    }
}

function explained(error: unknown, manager: string, creating: boolean): unknown {
    if (!(error instanceof ApiError) || error.status !== 409) return error;
    if (error.reason === "AlreadyExists" || (creating && error.reason !== "Conflict")) {
        return new Error(
            `${error.message}\n\nThe resource already exists in the cluster. Adopt it with \`pulumi import\`, write only some ` +
                `of its fields with a Patch resource, give a renamed resource an alias, or set upsertExistingObjects on the provider.`,
        );
    }
    return new Error(
        `server-side apply field conflict: the resource managed by field manager "${manager}" had an apply conflict: ` +
            `${error.message}\nRemove the field from the program, or take it over with the annotation pulumi.com/patchForce: "true".`,
    );
}

function isForced(write: Write, live: KubeObject | undefined): boolean {
    if (isTrue(annotation(write.object, "patchForce")) || write.policy.enablePatchForce) return true;
    const managers = live ? pluckMaps(live, "metadata", "managedFields") : [];
    if (live && managers.length === 0) return true;
    if (!write.preview) return false;
    // A preview cannot hand fields over first, as the update will: it would see conflicts that will not be there.
    return !live || managers.some((entry) => entry.operation === "Update" && entry.manager === CREATE_MANAGER);
}

export async function createObject(write: Write): Promise<KubeObject> {
    const { client, object, manager, preview, policy } = write;
    const upsert = write.isPatch || policy.upsertExistingObjects;
    try {
        return await untilKnown(write, () =>
            upsert
                ? client.apply(object, { manager, force: isForced(write, undefined), dryRun: preview })
                : client.create(object, { manager: CREATE_MANAGER, dryRun: preview }),
        );
    } catch (error) {
        throw explained(error, manager, !upsert);
    }
}

// What these wrote is taken over before an update: they are earlier ways of writing the very same inputs.
const EARLIER_MANAGERS = new Set([
    "kubectl Apply",
    "kubectl Update",
    "before-first-apply Update",
    "pulumi-kubernetes Update",
    "pulumi-kubernetes.exe Update",
    "pulumi-resource-kubernetes Update",
]);

function isEarlier(entry: PropertyMap): boolean {
    return !entry.subresource && EARLIER_MANAGERS.has(`${String(entry.manager)} ${String(entry.operation)}`);
}

function union(left: PropertyMap, right: PropertyMap): PropertyMap {
    const merged = { ...left };
    for (const [key, value] of Object.entries(right)) {
        const other = merged[key];
        merged[key] = isMap(other) && isMap(value) ? union(other, value) : value;
    }
    return merged;
}

/** The managedFields with all earlier managers' fields under `manager`; nothing when there are none. */
export function takenOver(live: KubeObject, manager: string): PropertyMap[] | undefined {
    const entries = pluckMaps(live, "metadata", "managedFields");
    const earlier = entries.filter(isEarlier);
    if (earlier.length === 0) return undefined;
    const isOwn = (entry: PropertyMap): boolean =>
        !entry.subresource && entry.manager === manager && entry.operation === "Apply";
    const own = entries.find(isOwn);
    const fields = [...(own ? [own] : []), ...earlier].map((entry) => pluckMap(entry, "fieldsV1") ?? {});
    const base = own ?? { ...earlier[0], manager, operation: "Apply" };
    const mine = { ...base, fieldsV1: fields.reduce(union, {}) };
    return [mine, ...entries.filter((entry) => !isEarlier(entry) && !isOwn(entry))];
}

async function takeOver(write: Write, live: KubeObject): Promise<KubeObject> {
    if (write.preview || write.isPatch) return live;
    const entries = takenOver(live, write.manager);
    if (!entries) return live;
    return write.client.jsonPatch(live, [
        { op: "replace", path: "/metadata/managedFields", value: entries },
        // Someone else's write in between fails this one instead of being undone by it.
        { op: "replace", path: "/metadata/resourceVersion", value: live.metadata.resourceVersion },
    ]);
}

export async function updateObject(write: Write): Promise<KubeObject> {
    const { client, object, manager, preview } = write;
    const found = await client.get(object).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        throw new Error(
            `${error.message}: it was deleted outside of Pulumi; run \`pulumi refresh\` and then \`pulumi up\``,
        );
    });
    const live = await takeOver(write, found);
    try {
        return await client.apply(object, { manager, force: isForced(write, live), dryRun: preview });
    } catch (error) {
        throw explained(error, manager, false);
    }
}

/** Gives up what a Patch resource wrote; the object and others' fields stay. */
export async function relinquish(client: KubeClient, object: KubeObject, manager: string): Promise<void> {
    const { name, namespace } = object.metadata;
    const bare = { apiVersion: object.apiVersion, kind: object.kind, metadata: { name, namespace } };
    await client.apply(bare, { manager, force: false });
}
