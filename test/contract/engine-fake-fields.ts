import { isMap, type PropertyMap } from "../../offline/engine/values";

/** Server-side apply in small: who owns which leaf. Lists are atomic, which is less than a real API server does. */
export interface ManagedEntry extends PropertyMap {
    manager: string;
    operation: "Apply" | "Update";
    fieldsV1: PropertyMap;
}

const UNOWNED = new Set(["apiVersion", "kind", "metadata.name", "metadata.namespace", "status"]);

export function leaves(value: unknown, path: readonly string[] = []): string[] {
    if (UNOWNED.has(path.join("."))) return [];
    if (!isMap(value) || Object.keys(value).length === 0) return path.length === 0 ? [] : [JSON.stringify(path)];
    return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

function fieldsOf(paths: readonly string[]): PropertyMap {
    const root: PropertyMap = {};
    for (const path of paths) {
        let at = root;
        for (const key of JSON.parse(path) as string[]) at = (at[`f:${key}`] ??= {}) as PropertyMap;
    }
    return root;
}

export function pathsOf(fields: PropertyMap, path: readonly string[] = []): string[] {
    const keys = Object.keys(fields);
    if (keys.length === 0) return [JSON.stringify(path)];
    return keys.flatMap((key) => pathsOf(fields[key] as PropertyMap, [...path, key.replace(/^f:/, "")]));
}

function at(object: unknown, path: string): unknown {
    return (JSON.parse(path) as string[]).reduce<unknown>(
        (inner, key) => (isMap(inner) ? inner[key] : undefined),
        object,
    );
}

function remove(object: PropertyMap, path: string): void {
    const keys = JSON.parse(path) as string[];
    const last = keys.pop();
    const parent = keys.reduce<unknown>((inner, key) => (isMap(inner) ? inner[key] : undefined), object);
    if (isMap(parent) && last !== undefined) delete parent[last];
}

export function merged(base: PropertyMap, patch: PropertyMap): PropertyMap {
    const result: PropertyMap = { ...base };
    for (const [key, value] of Object.entries(patch)) {
        const old = result[key];
        result[key] = isMap(old) && isMap(value) && Object.keys(value).length > 0 ? merged(old, value) : value;
    }
    return result;
}

export function entryFor(manager: string, operation: "Apply" | "Update", object: PropertyMap): ManagedEntry {
    return {
        manager,
        operation,
        apiVersion: object.apiVersion,
        fieldsType: "FieldsV1",
        fieldsV1: fieldsOf(leaves(object)),
    };
}

export interface Applied {
    readonly object: PropertyMap;
    readonly entries: ManagedEntry[];
    readonly conflicts: string[];
}

export function applied(
    live: PropertyMap,
    entries: ManagedEntry[],
    sent: PropertyMap,
    manager: string,
    force: boolean,
): Applied {
    const wanted = leaves(sent);
    const isOwn = (entry: ManagedEntry): boolean => entry.manager === manager && entry.operation === "Apply";
    const others = entries.filter((entry) => !isOwn(entry));
    const conflicts = others.flatMap((entry) =>
        pathsOf(entry.fieldsV1)
            .filter(
                (path) => wanted.includes(path) && JSON.stringify(at(live, path)) !== JSON.stringify(at(sent, path)),
            )
            .map((path) => `conflict with "${entry.manager}": .${(JSON.parse(path) as string[]).join(".")}`),
    );
    if (conflicts.length > 0 && !force) return { object: live, entries, conflicts };
    const object = merged(structuredClone(live), sent);
    const before = entries.filter(isOwn).flatMap((entry) => pathsOf(entry.fieldsV1));
    const elsewhere = new Set(others.flatMap((entry) => pathsOf(entry.fieldsV1)));
    for (const path of before) if (!wanted.includes(path) && !elsewhere.has(path)) remove(object, path);
    return { object, entries: [...others, entryFor(manager, "Apply", sent)], conflicts: [] };
}
