import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
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
    /** Path of the file inside the release, when that is an archive. */
    member?: (architecture: Architecture) => string;
    suffix?: string;
}

const k3sRelease = `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(versions.k3s)}`;
const etcdRelease = `https://github.com/etcd-io/etcd/releases/download/${versions.etcd}`;
const k3sSums = (architecture: Architecture): string => `${k3sRelease}/sha256sum-${architecture}.txt`;
const etcdFolder = (architecture: Architecture): string => `etcd-${versions.etcd}-linux-${architecture}`;

const etcdProgram = (program: string): Release => ({
    version: versions.etcd,
    url: (architecture) => `${etcdRelease}/${etcdFolder(architecture)}.tar.gz`,
    sumsUrl: () => `${etcdRelease}/SHA256SUMS`,
    member: (architecture) => `${etcdFolder(architecture)}/${program}`,
});

const versitygwRelease = `https://github.com/versity/versitygw/releases/download/${versions.versitygw}`;
/** Named after what `uname` says. */
const versitygwFolder = (architecture: Architecture): string =>
    `versitygw_${versions.versitygw}_Linux_${architecture === "amd64" ? "x86_64" : architecture}`;

const releases = {
    k3s: {
        version: versions.k3s,
        url: (architecture) => `${k3sRelease}/k3s${architecture === "amd64" ? "" : `-${architecture}`}`,
        sumsUrl: k3sSums,
    },
    "k3s-airgap-images": {
        version: versions.k3s,
        url: (architecture) => `${k3sRelease}/k3s-airgap-images-${architecture}.tar.zst`,
        sumsUrl: k3sSums,
        suffix: ".tar.zst",
    },
    etcd: etcdProgram("etcd"),
    etcdctl: etcdProgram("etcdctl"),
    versitygw: {
        version: versions.versitygw,
        url: (architecture) => `${versitygwRelease}/${versitygwFolder(architecture)}.tar.gz`,
        sumsUrl: () => `${versitygwRelease}/checksums.txt`,
        member: (architecture) => `${versitygwFolder(architecture)}/versitygw`,
    },
} satisfies Record<string, Release>;

export type ArtifactName = keyof typeof releases;

/** File name in an air-gap folder: `k3s-v1.35.4+k3s1-amd64`. */
export function artifactFile(name: ArtifactName, architecture: Architecture): string {
    const { version, suffix }: Release = releases[name];
    return `${name}-${version}-${architecture}${suffix ?? ""}`;
}

/**
 * The file, verified. With `POSTGRES_HA_ARTIFACTS=<folder>` (air-gapped installations) it comes from there, checked
 * against the folder's SHA256SUMS; otherwise it is downloaded once from the project's release and checked against
 * the sums published beside it.
 */
export async function artifact(name: ArtifactName, architecture: Architecture): Promise<Artifact> {
    const folder = process.env.POSTGRES_HA_ARTIFACTS;
    return folder ? fromFolder(folder, artifactFile(name, architecture)) : onceAtATime(name, architecture);
}

const downloads = new Map<string, Promise<Artifact>>();

/** Steps of several machines run side by side in one process: they wait for the same download. */
function onceAtATime(name: ArtifactName, architecture: Architecture): Promise<Artifact> {
    const key = artifactFile(name, architecture);
    const download = downloads.get(key) ?? fromRelease(name, architecture).finally(() => downloads.delete(key));
    downloads.set(key, download);
    return download;
}

async function fromFolder(folder: string, file: string): Promise<Artifact> {
    const list = join(folder, "SHA256SUMS");
    const sums = await readFile(list, "utf8").catch((error: unknown) => {
        throw new Error(
            `POSTGRES_HA_ARTIFACTS: ${list} cannot be read (${(error as Error).message}); ` +
                "it must list every file of the folder as `sha256sum * > SHA256SUMS` does",
        );
    });
    const sha256 = findSum(sums, file);
    const path = join(folder, file);
    if (!sha256) {
        throw new Error(`POSTGRES_HA_ARTIFACTS: ${list} has no line for ${file}; put the file there`);
    }
    if (!(await exists(path))) {
        throw new Error(`POSTGRES_HA_ARTIFACTS: ${path} is listed but missing; put the file there`);
    }
    await verify(path, sha256);
    return { path, sha256 };
}

async function fromRelease(name: ArtifactName, architecture: Architecture): Promise<Artifact> {
    const release: Release = releases[name];
    const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "postgres-ha", "releases");
    const url = release.url(architecture);
    const published = decodeURIComponent(url.split("/").pop() ?? "");
    const sums = await (await get(release.sumsUrl(architecture))).text();
    const sha256 = findSum(sums, published);
    if (!sha256) {
        throw new Error(
            `${release.sumsUrl(architecture)} lists no sum for ${published}; it is not released for ${architecture}`,
        );
    }
    const downloaded = join(folder, `${release.version}-${architecture}-${published}`);
    await downloadOnce(url, downloaded, sha256);
    if (release.member === undefined) {
        return { path: downloaded, sha256 };
    }
    const path = join(folder, artifactFile(name, architecture));
    await unpack(downloaded, release.member(architecture), path);
    return { path, sha256: await sha256Of(path) };
}

async function downloadOnce(url: string, path: string, sha256: string): Promise<void> {
    if (!(await exists(path))) {
        await mkdir(dirname(path), { recursive: true });
        const partial = `${path}.${process.pid}.partial`;
        try {
            const { body } = await get(url);
            const content = Readable.fromWeb(body as ReadableStream);
            await pipeline(content, createWriteStream(partial));
            await verify(partial, sha256);
            await rename(partial, path);
        } finally {
            await rm(partial, { force: true });
        }
    }
    await verify(path, sha256);
}

async function unpack(archive: string, member: string, path: string): Promise<void> {
    const options = { encoding: "buffer" as const, maxBuffer: 2 ** 28 };
    const { stdout } = await promisify(execFile)("tar", ["-xzOf", archive, member], options);
    const partial = `${path}.${process.pid}.partial`;
    await pipeline(Readable.from([stdout]), createWriteStream(partial, { mode: 0o755 }));
    await rename(partial, path);
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
    const found = await sha256Of(path);
    if (found !== sha256) {
        throw new Error(`${path}: sha256 is ${found}, expected ${sha256}; remove the file and run the update again`);
    }
    verified.set(path, sha256);
}

async function sha256Of(path: string): Promise<string> {
    const hash = createHash("sha256");
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
    return hash.digest("hex");
}

const exists = (path: string): Promise<boolean> =>
    access(path).then(
        () => true,
        () => false,
    );
