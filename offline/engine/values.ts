/** Plain property values as they travel between engine and plugin, and how to look into them. */
export interface PropertyMap {
    [key: string]: unknown;
}

// The engine writes a value it does not know yet as one of these, by type.
const UNKNOWNS = new Set([
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

export function isUnknown(value: unknown): boolean {
    return typeof value === "string" && UNKNOWNS.has(value);
}

export function isMap(value: unknown): value is PropertyMap {
    return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function hasUnknown(value: unknown): boolean {
    if (isUnknown(value)) return true;
    return value !== null && typeof value === "object" && Object.values(value).some(hasUnknown);
}

export function pluck(value: unknown, ...path: string[]): unknown {
    return path.reduce<unknown>((inner, key) => (isMap(inner) ? inner[key] : undefined), value);
}

export function pluckText(value: unknown, ...path: string[]): string | undefined {
    const found = pluck(value, ...path);
    return typeof found === "string" && !isUnknown(found) ? found : undefined;
}

export function pluckNumber(value: unknown, ...path: string[]): number | undefined {
    const found = pluck(value, ...path);
    return typeof found === "number" ? found : undefined;
}

export function pluckMap(value: unknown, ...path: string[]): PropertyMap | undefined {
    const found = pluck(value, ...path);
    return isMap(found) ? found : undefined;
}

export function pluckMaps(value: unknown, ...path: string[]): PropertyMap[] {
    const found = pluck(value, ...path);
    return Array.isArray(found) ? found.filter(isMap) : [];
}

/** Structs cannot carry `undefined`: gone from objects, null in arrays. */
export function withoutUndefined(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((element) => withoutUndefined(element) ?? null);
    if (!isMap(value)) return value;
    const kept = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return Object.fromEntries(kept.map(([key, inner]) => [key, withoutUndefined(inner)]));
}

/** Settings that are empty count as not made. */
export function nonEmpty(text: string | undefined): string | undefined {
    return text === "" ? undefined : text;
}

export function isTrue(value: unknown): boolean {
    return value === true || value === "true";
}
