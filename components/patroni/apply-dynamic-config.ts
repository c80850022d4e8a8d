import { isDeepStrictEqual } from "node:util";
import type { SshConnection } from "../machines/ssh";
import { step } from "../progress";
import { askAnyInstance, type ClusterLocation } from "./api";
import type { DynamicConfig } from "./dynamic-config";

/** `removed`: keys that were asked for before, as nulls. Reads back what Patroni holds then. */
export async function applyDynamicConfig(
    ssh: SshConnection,
    location: ClusterLocation,
    dynamicConfig: DynamicConfig,
    removed: DynamicConfig,
): Promise<void> {
    const held = await askAnyInstance<DynamicConfig>(ssh, location, "GET", "/config");
    const added = addedParameters(dynamicConfig, held);
    const isSame = differences(dynamicConfig, held).length === 0;
    if (isSame && [added, removed].every((keys) => Object.keys(keys).length === 0)) {
        return;
    }
    await step(location.cluster, "applying the dynamic configuration", async () => {
        const nulls = merge({ postgresql: { parameters: added } }, removed);
        await askAnyInstance(ssh, location, "PATCH", "/config", merge(dynamicConfig, nulls));
        const left = differences(dynamicConfig, await askAnyInstance<DynamicConfig>(ssh, location, "GET", "/config"));
        if (left.length > 0) {
            throw new Error(`Patroni keeps other values than those asked for: ${left.join(", ")}`);
        }
        // Each member takes it up in its next loop, and only then says what waits for a restart.
        await new Promise((resolve) => setTimeout(resolve, takeUpMs));
    });
}

/** Several loops of Patroni (`loop_wait` 1 s), as a busy machine may be late with one. */
const takeUpMs = 5000;

/** What was asked for before and is no more, as nulls: Patroni's PATCH merges and removes only what is null. */
export function removedKeys(olds: DynamicConfig, news: DynamicConfig): DynamicConfig {
    return Object.fromEntries(
        Object.entries(olds).flatMap(([key, value]): [string, unknown][] => {
            if (!(key in news)) {
                return [[key, null]];
            }
            if (!isObject(value) || !isObject(news[key])) {
                return [];
            }
            const below = removedKeys(value, news[key]);
            return Object.keys(below).length === 0 ? [] : [[key, below]];
        }),
    );
}

/** PostgreSQL's parameters that nobody asked for, as nulls. Other keys, such as `pause`, are an operator's to set. */
export function addedParameters(wanted: DynamicConfig, held: DynamicConfig): DynamicConfig {
    const parameters = (config: DynamicConfig): DynamicConfig => {
        const { postgresql } = config;
        const found = isObject(postgresql) ? postgresql["parameters"] : undefined;
        return isObject(found) ? found : {};
    };
    const asked = parameters(wanted);
    const added = Object.keys(parameters(held)).filter((name) => !(name in asked));
    return Object.fromEntries(added.map((name) => [name, null]));
}

const isObject = (value: unknown): value is DynamicConfig => typeof value === "object" && value !== null;

const merge = (base: DynamicConfig, over: DynamicConfig): DynamicConfig =>
    Object.entries(over).reduce(
        (merged, [key, value]) => ({
            ...merged,
            [key]: isObject(value) && isObject(merged[key]) ? merge(merged[key], value) : value,
        }),
        base,
    );

/** Paths at which what is held differs from what is wanted; keys nobody asked for do not count. */
export function differences(wanted: unknown, held: unknown, path = ""): string[] {
    if (typeof wanted !== "object" || wanted === null) {
        return isDeepStrictEqual(wanted, held) ? [] : [path];
    }
    return Object.entries(wanted).flatMap(([key, value]) =>
        differences(value, (held as Record<string, unknown> | undefined)?.[key], path === "" ? key : `${path}.${key}`),
    );
}
