import { writeFileSync } from "node:fs";
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
        versitygw: `versitygw-${versions.versitygw}-${architecture}`,
    };
}

/** Folders that hold the files; without the object store's when the stack has none. */
export interface ArtifactParts {
    k3s: string;
    etcd: string;
    versitygw?: string;
}

/** Which files come from which part. */
const filesOf: Record<keyof ArtifactParts, string[]> = {
    k3s: ["k3s", "k3s-airgap-images.tar.zst"],
    etcd: ["etcd", "etcdctl"],
    versitygw: ["versitygw"],
};

const present = (parts: ArtifactParts): [keyof ArtifactParts, string][] =>
    (Object.keys(filesOf) as (keyof ArtifactParts)[]).flatMap((name) => {
        const path = parts[name];
        return path === undefined ? [] : [[name, path]];
    });

export function artifactsKey(parts: ArtifactParts, architecture: Architecture): PartKey {
    const contents = present(parts).map(([name, path]) => [basename(path), ...filesOf[name]]);
    const recipe = recipeOf([JSON.stringify(contents), JSON.stringify(artifactNames(architecture))]);
    return { name: "artifacts", version: versions.k3s.replace("+", "-"), architecture, recipe };
}

/** The air-gap directory: every file that machines get, under its versioned name, with SHA256SUMS. */
export async function obtainArtifacts(cache: Cache, parts: ArtifactParts, architecture: Architecture): Promise<string> {
    const names = artifactNames(architecture);
    const make = (directory: string): Promise<void> =>
        step("laying out the air-gap artifacts", async () => {
            const sums: string[] = [];
            for (const [part, path] of present(parts)) {
                for (const file of filesOf[part]) {
                    const name = names[file] ?? file;
                    linkOrCopy(join(path, file), join(directory, name));
                    sums.push(`${await sha256Of(join(path, file))}  ${name}`);
                }
            }
            writeFileSync(join(directory, "SHA256SUMS"), `${sums.join("\n")}\n`);
        });
    return cache.obtain(artifactsKey(parts, architecture), make);
}
