import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { PackageManager } from "./language-options";
import { isMap, pluckText, type PropertyMap } from "./values";

function directoriesIn(directory: string): string[] {
    try {
        return readdirSync(directory).filter((name) => !name.startsWith("."));
    } catch {
        return [];
    }
}

function readManifest(directory: string): PropertyMap | undefined {
    try {
        const manifest: unknown = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
        return isMap(manifest) ? manifest : undefined;
    } catch {
        return undefined;
    }
}

/** Manifests under one node_modules and, for packages that could not be hoisted, under theirs. */
function manifestsUnder(nodeModules: string): PropertyMap[] {
    const folders = directoriesIn(nodeModules).flatMap((name) =>
        name.startsWith("@") ? directoriesIn(join(nodeModules, name)).map((inner) => join(name, inner)) : [name],
    );
    return folders.flatMap((folder) => {
        const directory = join(nodeModules, folder);
        const manifest = readManifest(directory);
        if (!manifest) return [];
        const nested = join(directory, "node_modules");
        return [manifest, ...(existsSync(nested) ? manifestsUnder(nested) : [])];
    });
}

/** All packages a program can load: its own node_modules and those of the folders above it, each version once. */
export function installedPackages(directory: string): PropertyMap[] {
    const found = new Map<string, PropertyMap>();
    for (let current = resolve(directory); ; current = dirname(current)) {
        for (const manifest of manifestsUnder(join(current, "node_modules"))) {
            const key = `${pluckText(manifest, "name")}@${pluckText(manifest, "version")}`;
            if (!found.has(key)) found.set(key, manifest);
        }
        if (current === dirname(current)) return [...found.values()];
    }
}

export interface RequiredPlugin {
    readonly name: string;
    readonly version: string;
    readonly server: string;
    readonly parameterization: PropertyMap | undefined;
}

/** The plugin behind an SDK package, if it is one: `pulumi.resource` in its package.json. */
export function requiredPlugin(manifest: PropertyMap): RequiredPlugin | undefined {
    const pulumi = manifest.pulumi;
    if (!isMap(pulumi) || pulumi.resource !== true) return undefined;
    const packageName = pluckText(manifest, "name") ?? "";
    const official = packageName.startsWith("@pulumi/") ? packageName.slice("@pulumi/".length) : undefined;
    const name = pluckText(pulumi, "name") ?? official;
    const version = pluckText(pulumi, "version") ?? pluckText(manifest, "version");
    if (!name || !version) return undefined;
    return {
        name,
        version: `v${version.replace(/^v/, "")}`,
        server: pluckText(pulumi, "server") ?? "",
        parameterization: isMap(pulumi.parameterization) ? pulumi.parameterization : undefined,
    };
}

export function directDependencies(directory: string): Set<string> {
    const manifest = readManifest(directory);
    const keys = (field: unknown): string[] => (isMap(field) ? Object.keys(field) : []);
    return new Set([...keys(manifest?.dependencies), ...keys(manifest?.devDependencies)]);
}

const LOCK_FILES: readonly (readonly [string, PackageManager])[] = [
    ["yarn.lock", "yarn"],
    ["pnpm-lock.yaml", "pnpm"],
    ["bun.lock", "bun"],
    ["bun.lockb", "bun"],
];

/** "auto" goes by the lock file, npm without one. */
export function resolvePackageManager(choice: PackageManager, directory: string): Exclude<PackageManager, "auto"> {
    if (choice !== "auto") return choice;
    const byLock = LOCK_FILES.find(([file]) => existsSync(join(directory, file)))?.[1];
    return byLock && byLock !== "auto" ? byLock : "npm";
}
