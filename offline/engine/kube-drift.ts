import type { KubeObject } from "./kube-client";
import { isMap, isUnknown, pluckMap, type PropertyMap } from "./values";

/** What a refresh finds: the live value of every path that the inputs mention, and of no other. */

const SUFFIXES: Record<string, number> = {
    n: 1e-9,
    u: 1e-6,
    m: 1e-3,
    "": 1,
    k: 1e3,
    M: 1e6,
    G: 1e9,
    T: 1e12,
    P: 1e15,
    E: 1e18,
    Ki: 2 ** 10,
    Mi: 2 ** 20,
    Gi: 2 ** 30,
    Ti: 2 ** 40,
    Pi: 2 ** 50,
    Ei: 2 ** 60,
};

function quantity(value: unknown): number | undefined {
    if (typeof value === "number") return value;
    if (typeof value !== "string") return undefined;
    const parsed = /^([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)([numkMGTPE]|[KMGTPE]i)?$/.exec(value);
    const factor = SUFFIXES[parsed?.[2] ?? ""];
    return parsed && factor !== undefined ? Number(parsed[1]) * factor : undefined;
}

// Only where the API server itself rewrites quantities: elsewhere "1" and "1000m" are different strings.
const QUANTITY_PARENTS = new Set(["limits", "requests", "capacity", "hard", "default", "defaultRequest", "max", "min"]);
const QUANTITY_FIELDS = new Set(["sizeLimit", "divisor", "averageValue"]);

function isSameQuantity(input: unknown, live: unknown, parent: string, key: string): boolean {
    if (!QUANTITY_PARENTS.has(parent) && !QUANTITY_FIELDS.has(key)) return false;
    const [wanted, found] = [quantity(input), quantity(live)];
    return wanted !== undefined && found !== undefined && Math.abs(wanted - found) <= Math.abs(wanted) * 1e-12;
}

/** The API server leaves empty values out of what it returns. */
function isEmpty(value: unknown): boolean {
    if (value === null || value === undefined || value === "" || value === false || value === 0) return true;
    if (Array.isArray(value)) return value.length === 0;
    return isMap(value) && Object.values(value).every(isEmpty);
}

function project(input: unknown, live: unknown, parent: string, key: string): unknown {
    if (isUnknown(input)) return live;
    if (live === undefined || live === null) return isEmpty(input) ? input : undefined;
    if (isMap(input) && isMap(live)) {
        const entries = Object.entries(input).map(([name, inner]) => [name, project(inner, live[name], key, name)]);
        return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined));
    }
    if (Array.isArray(input) && Array.isArray(live)) {
        // Elements that others add at the end (injected containers, say) are not the program's.
        return input.slice(0, live.length).map((element, index) => project(element, live[index], key, "*"));
    }
    return isSameQuantity(input, live, parent, key) ? input : live;
}

function decode(value: unknown): string | undefined {
    return typeof value === "string" ? Buffer.from(value, "base64").toString() : undefined;
}

/** The server keeps a Secret's stringData as base64 in data. */
function projectStringData(inputs: PropertyMap, live: KubeObject): PropertyMap | undefined {
    const stringData = pluckMap(inputs, "stringData");
    if (inputs.kind !== "Secret" || !stringData) return undefined;
    const entries = Object.keys(stringData).map((key) => [key, decode(pluckMap(live, "data")?.[key])] as const);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

export function driftedInputs(inputs: PropertyMap, live: KubeObject): PropertyMap {
    const { stringData: _separately, ...rest } = inputs;
    const projected = project(inputs.kind === "Secret" ? rest : inputs, live, "", "") as PropertyMap;
    const stringData = projectStringData(inputs, live);
    return stringData ? { ...projected, stringData } : projected;
}
