import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { versions } from "../components/versions";
import { recipeOf, type Cache, type PartKey } from "./cache";
import { sha256Of } from "./downloads";
import { linkOrCopy } from "./link-or-copy";
import type { Architecture } from "./platform";
import { step } from "./progress";

/** File names by which the product looks for what it installs on machines. */
export function artifactNames(architecture: Architecture): Record<string, string> {
    return {
        k3s: `k3s-${versions.k3s}-${architecture}`,
        "k3s-airgap-images.tar.zst": `k3s-airgap-images-${versions.k3s}-${architecture}.tar.zst`,
        etcd: `etcd-${versions.etcd}-${architecture}`,
        etcdctl: `etcdctl-${versions.etcd}-${architecture}`,
    };
}

export function artifactsKey(parts: string[], architecture: Architecture): PartKey {
    const recipe = recipeOf([...parts.map((path) => basename(path)), JSON.stringify(artifactNames(architecture))]);
    return { name: "artifacts", version: versions.k3s.replace("+", "-"), architecture, recipe };
}

/** The air-gap directory: every file that machines get, under its versioned name, with SHA256SUMS. */
export async function obtainArtifacts(cache: Cache, parts: string[], architecture: Architecture): Promise<string> {
    const make = (directory: string): Promise<void> =>
        step("laying out the air-gap artifacts", async () => {
            const sums: string[] = [];
            for (const [file, name] of Object.entries(artifactNames(architecture))) {
                const source = parts.map((part) => join(part, file)).find((path) => existsSync(path));
                if (source === undefined) throw new Error(`${file} is in none of ${parts.join(", ")}`);
                linkOrCopy(source, join(directory, name));
                sums.push(`${await sha256Of(source)}  ${name}`);
            }
            writeFileSync(join(directory, "SHA256SUMS"), `${sums.join("\n")}\n`);
        });
    return cache.obtain(artifactsKey(parts, architecture), make);
}
