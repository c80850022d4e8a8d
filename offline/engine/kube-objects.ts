import { createHash, randomBytes } from "node:crypto";
import { type KubeObject, objectName, objectNamespace } from "./kube-client";
import { isMap, isTrue, isUnknown, nonEmpty, pluckMap, pluckText, type PropertyMap } from "./values";

/** Pure translations between what a program writes, what the API server takes and what state keeps. */

// JSON schema extensions of CRDs: SDK property names cannot hold a dash.
const DASHED = new Map(
    [
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    ].map((rest) => [`x_kubernetes_${rest.replaceAll("-", "_")}`, `x-kubernetes-${rest}`]),
);
const UNDERSCORED = new Map([...DASHED].map(([underscored, dashed]) => [dashed, underscored]));

function renameKeys(value: unknown, names: ReadonlyMap<string, string>, keep: (inner: unknown) => boolean): unknown {
    if (Array.isArray(value)) return value.map((element) => renameKeys(element, names, keep));
    if (!isMap(value)) return value;
    return Object.fromEntries(
        Object.entries(value)
            .filter(([, inner]) => keep(inner))
            .map(([key, inner]) => [names.get(key) ?? key, renameKeys(inner, names, keep)]),
    );
}

const SERVER_METADATA = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
];

function without(map: PropertyMap, keys: readonly string[]): PropertyMap {
    return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

/** What is sent: no nulls, nothing that only the server may write. */
export function toServer(inputs: PropertyMap): KubeObject {
    const object = renameKeys(inputs, DASHED, (inner) => inner !== null && inner !== undefined) as KubeObject;
    return { ...object, metadata: without(pluckMap(object, "metadata") ?? {}, SERVER_METADATA) };
}

const FIELD_MANAGER = "__fieldManager";
const INITIAL_API_VERSION = "__initialApiVersion";

/** What state keeps: the live object, and who manages its fields. managedFields would double the size for nobody. */
export function toState(live: KubeObject, fieldManager: string, initialApiVersion: string): PropertyMap {
    const object = renameKeys(live, UNDERSCORED, () => true) as KubeObject;
    return {
        ...object,
        metadata: without(object.metadata, ["managedFields"]),
        [INITIAL_API_VERSION]: initialApiVersion,
        [FIELD_MANAGER]: fieldManager,
    };
}

export function stateObject(state: PropertyMap): KubeObject {
    const plain = without(state, [FIELD_MANAGER, INITIAL_API_VERSION, "__inputs"]);
    return renameKeys(plain, DASHED, () => true) as KubeObject;
}

export function initialApiVersionOf(state: PropertyMap, inputs: PropertyMap): string {
    return (
        pluckText(state, INITIAL_API_VERSION) ?? pluckText(inputs, "apiVersion") ?? pluckText(state, "apiVersion") ?? ""
    );
}

export function annotation(object: PropertyMap, name: string): string | undefined {
    return pluckText(object, "metadata", "annotations", `pulumi.com/${name}`);
}

/** The annotation's wish, else who managed it so far, else a new name of its own for every resource. */
export function fieldManagerOf(inputs: PropertyMap, state: PropertyMap): string {
    const kept = pluckText(state, FIELD_MANAGER);
    return (
        nonEmpty(annotation(inputs, "patchFieldManager")) ??
        kept ??
        `pulumi-kubernetes-${randomBytes(4).toString("hex")}`
    );
}

export function objectId(object: KubeObject): string {
    const namespace = objectNamespace(object);
    return namespace ? `${namespace}/${objectName(object)}` : objectName(object);
}

export function parseId(id: string): { namespace: string | undefined; name: string } {
    const slash = id.indexOf("/");
    return slash < 0
        ? { namespace: undefined, name: id }
        : { namespace: id.slice(0, slash), name: id.slice(slash + 1) };
}

/** `kubernetes:apps/v1:StatefulSet` from a URN's type. `core/v1` is the SDK's name of `v1`. */
export function parseType(urn: string): { apiVersion: string; kind: string } {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const [, apiVersion = "", kind = ""] = type.split(":");
    return { apiVersion: apiVersion.replace(/^core\//, ""), kind };
}

export function urnName(urn: string): string {
    return urn.split("::").slice(3).join("::");
}

/** A resource such as DeploymentPatch: it writes some fields of an object that others own. */
export function isPatch(urn: string, inputs: PropertyMap): boolean {
    return parseType(urn).kind === `${String(inputs.kind)}Patch`;
}

export function isAutonamed(object: PropertyMap): boolean {
    return isTrue(annotation(object, "autonamed"));
}

export function withAutoname(inputs: PropertyMap, name: string): PropertyMap {
    const metadata = pluckMap(inputs, "metadata") ?? {};
    // Nothing can be added to annotations that are not known yet.
    const annotations = isUnknown(metadata.annotations)
        ? metadata.annotations
        : { ...(pluckMap(metadata, "annotations") ?? {}), "pulumi.com/autonamed": "true" };
    return { ...inputs, metadata: { ...metadata, name, annotations } };
}

/** The engine's seed makes a preview and its update agree on the name. */
export function autoname(urn: string, seed: Uint8Array): string {
    const source = seed.length > 0 ? createHash("sha256").update(seed).digest() : randomBytes(32);
    return `${urnName(urn).toLowerCase()}-${source.toString("hex").slice(0, 8)}`;
}

/** Inputs of an object that Pulumi did not make: all of it but what the server fills in. */
export function importedInputs(live: KubeObject): PropertyMap {
    const { status: _status, ...object } = renameKeys(live, UNDERSCORED, () => true) as PropertyMap;
    const metadata = without(pluckMap(object, "metadata") ?? {}, SERVER_METADATA);
    const annotations = without(pluckMap(metadata, "annotations") ?? {}, [
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
    ]);
    return { ...object, metadata: { ...metadata, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) } };
}
