import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { versions } from "./versions";

export type Architecture = "amd64" | "arm64";

/** A file of an official release, or the same file from an air-gap folder. */
export interface Artifact {
    path: string;
    sha256: string;
}

interface Release {
    version: string;
    /** File as the project publishes it. */
    url: (architecture: Architecture) => string;
    /** The project's own list of sha256 sums. */
    sumsUrl: (architecture: Architecture) => string;
}

const k3sRelease = `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(versions.k3s)}`;

const releases = {
    k3s: {
        version: versions.k3s,
        url: (architecture) => `${k3sRelease}/k3s${architecture === "amd64" ? "" : `-${architecture}`}`,
        sumsUrl: (architecture) => `${k3sRelease}/sha256sum-${architecture}.txt`,
    },
    "k3s-airgap-images": {
        version: versions.k3s,
        url: (architecture) => `${k3sRelease}/k3s-airgap-images-${architecture}.tar.zst`,
        sumsUrl: (architecture) => `${k3sRelease}/sha256sum-${architecture}.txt`,
    },
} satisfies Record<string, Release>;

export type ArtifactName = keyof typeof releases | "etcd" | "etcdctl";

const suffix = (name: ArtifactName): string => (name === "k3s-airgap-images" ? ".tar.zst" : "");

const versionOf = (name: ArtifactName): string =>
    name === "etcd" || name === "etcdctl" ? versions.etcd : releases[name].version;

/** File name in an air-gap folder: `k3s-v1.35.4+k3s1-amd64`. */
export const artifactFile = (name: ArtifactName, architecture: Architecture): string =>
    `${name}-${versionOf(name)}-${architecture}${suffix(name)}`;

/**
 * The file, verified. With `POSTGRES_HA_ARTIFACTS=<folder>` (air-gapped installations) it comes from there, checked
 * against the folder's SHA256SUMS; otherwise it is downloaded once from the project's release and checked against
 * the sums published beside it.
 */
export async function artifact(name: ArtifactName, architecture: Architecture): Promise<Artifact> {
    const folder = process.env.POSTGRES_HA_ARTIFACTS;
    return folder ? fromFolder(folder, artifactFile(name, architecture)) : download(name, architecture);
}

async function fromFolder(folder: string, file: string): Promise<Artifact> {
    const sums = await readFile(join(folder, "SHA256SUMS"), "utf8");
    const sha256 = findSum(sums, file);
    if (!sha256) {
        throw new Error(
            `POSTGRES_HA_ARTIFACTS: ${join(folder, "SHA256SUMS")} has no line for ${file}; put the file there`,
        );
    }
    const path = join(folder, file);
    await verify(path, sha256);
    return { path, sha256 };
}

async function download(name: ArtifactName, architecture: Architecture): Promise<Artifact> {
    if (name === "etcd" || name === "etcdctl") {
        throw new Error(`${name} is taken from its release archive inside the image build`);
    }
    const release: Release = releases[name];
    const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "postgres-ha", "releases");
    const path = join(folder, artifactFile(name, architecture));
    const url = release.url(architecture);
    const sums = await (await get(release.sumsUrl(architecture))).text();
    const sha256 = findSum(sums, decodeURIComponent(url.split("/").pop() ?? ""));
    if (!sha256) {
        throw new Error(`${release.sumsUrl(architecture)} lists no sum for ${url}; this architecture is not released`);
    }
    if (!(await exists(path))) {
        await mkdir(folder, { recursive: true });
        const partial = `${path}.${process.pid}.partial`;
        try {
            const { body } = await get(url);
            await pipeline(
                Readable.fromWeb(body as import("node:stream/web").ReadableStream),
                createWriteStream(partial),
            );
            await verify(partial, sha256);
            await rename(partial, path);
        } finally {
            await rm(partial, { force: true });
        }
    }
    await verify(path, sha256);
    return { path, sha256 };
}

async function get(url: string): Promise<Response> {
    const response = await fetch(url, { redirect: "follow" }).catch((error: unknown) => {
        throw new Error(
            `${url} cannot be reached (${String((error as Error).cause ?? error)}); ` +
                "for an air-gapped installation set POSTGRES_HA_ARTIFACTS to a folder that holds the release files",
        );
    });
    if (!response.ok) {
        throw new Error(`${url}: HTTP ${response.status}`);
    }
    return response;
}

const findSum = (sums: string, file: string): string | undefined =>
    sums
        .split("\n")
        .map((line) => line.trim().split(/\s+\*?/))
        .find(([, name]) => name === file)?.[0];

const verified = new Map<string, string>();

async function verify(path: string, sha256: string): Promise<void> {
    if (verified.get(path) === sha256) {
        return;
    }
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
    const found = hash.digest("hex");
    if (found !== sha256) {
        throw new Error(`${path}: sha256 is ${found}, expected ${sha256}; remove the file and run the update again`);
    }
    verified.set(path, sha256);
}

const exists = (path: string): Promise<boolean> =>
    access(path).then(
        () => true,
        () => false,
    );
