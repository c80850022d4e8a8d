import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { versions } from "../components/versions";
import { recipeOf, type Cache, type PartKey } from "./cache";
import { runLogged } from "./command";
import { checksumIn, download, downloadText, type DownloadOptions } from "./downloads";
import { linkOrCopy } from "./link-or-copy";
import { requireArchitecture, type Architecture } from "./platform";
import { say, size, step } from "./progress";
import { toolVersions } from "./tool-versions";

/** A project whose official releases are downloaded. */
export interface Site {
    /** Environment variable that replaces the address, for mirrors and tests. */
    variable: string;
    /** Below it: one folder per tag, as on a GitHub release page. */
    address: string;
}

export type ReleaseName = "pulumi" | "k3s" | "etcd" | "versitygw";

const defaults: Record<ReleaseName, Site> = {
    pulumi: {
        variable: "POSTGRES_HA_PULUMI_URL",
        address: "https://github.com/pulumi/pulumi/releases/download",
    },
    k3s: { variable: "POSTGRES_HA_K3S_URL", address: "https://github.com/k3s-io/k3s/releases/download" },
    etcd: { variable: "POSTGRES_HA_ETCD_URL", address: "https://github.com/etcd-io/etcd/releases/download" },
    versitygw: {
        variable: "POSTGRES_HA_VERSITYGW_URL",
        address: "https://github.com/versity/versitygw/releases/download",
    },
};

export function siteOf(name: ReleaseName): Site {
    const site = defaults[name];
    const address = (process.env[site.variable] ?? site.address).replace(/\/+$/, "");
    return { ...site, address };
}

export const releaseNames = Object.keys(defaults) as ReleaseName[];

interface Release {
    version: string;
    tag: string;
    /** Name of the list of checksums beside the files. */
    checksums: string;
    /** Archive whose contents, less its top folder, are the part. */
    archive?: string;
    /** Single files, by the name they get. */
    files?: Record<string, string>;
    /** Executables that must be for the architecture asked for. */
    binaries: string[];
}

function releaseOf(name: ReleaseName, architecture: Architecture): Release {
    const { pulumi } = toolVersions;
    const { k3s, etcd, versitygw } = versions;
    const releases: Record<ReleaseName, Release> = {
        pulumi: {
            version: pulumi,
            tag: `v${pulumi}`,
            checksums: `pulumi-${pulumi}-checksums.txt`,
            archive: `pulumi-v${pulumi}-linux-${architecture === "amd64" ? "x64" : "arm64"}.tar.gz`,
            binaries: ["pulumi"],
        },
        k3s: {
            version: k3s,
            tag: encodeURIComponent(k3s),
            checksums: `sha256sum-${architecture}.txt`,
            files: {
                k3s: architecture === "amd64" ? "k3s" : "k3s-arm64",
                "k3s-airgap-images.tar.zst": `k3s-airgap-images-${architecture}.tar.zst`,
            },
            binaries: ["k3s"],
        },
        etcd: {
            version: etcd,
            tag: etcd,
            checksums: "SHA256SUMS",
            archive: `etcd-${etcd}-linux-${architecture}.tar.gz`,
            binaries: ["etcd", "etcdctl"],
        },
        versitygw: {
            version: versitygw,
            tag: versitygw,
            checksums: "checksums.txt",
            archive: `versitygw_${versitygw}_Linux_${architecture === "amd64" ? "x86_64" : "arm64"}.tar.gz`,
            binaries: ["versitygw"],
        },
    };
    return releases[name];
}

export function releaseKey(name: ReleaseName, architecture: Architecture): PartKey {
    const release = releaseOf(name, architecture);
    const recipe = recipeOf([siteOf(name).address, JSON.stringify(release)]);
    return { name: `${name}-release`, version: release.version.replace("+", "-"), architecture, recipe };
}

/** Directory with the official release, downloaded and verified unless it is there already. */
export async function obtainRelease(
    cache: Cache,
    name: ReleaseName,
    architecture: Architecture,
    options: DownloadOptions = {},
): Promise<string> {
    const release = releaseOf(name, architecture);
    const base = `${siteOf(name).address}/${release.tag}`;
    const downloads = join(cache.root, "downloads", `${name}-${release.version}-${architecture}`);
    const make = async (directory: string): Promise<void> => {
        const sums = await downloadText(`${base}/${release.checksums}`, options);
        const fetchFile = async (file: string): Promise<string> => {
            const target = join(downloads, file);
            const sum = checksumIn(sums, file, `${base}/${release.checksums}`);
            await step(`downloading ${file} of ${name} ${release.version}`, async (report) => {
                const onProgress = (received: number, total?: number) =>
                    report.detail(total === undefined ? size(received) : `${size(received)} of ${size(total)}`);
                await download(`${base}/${file}`, target, sum, { onProgress, ...options });
            });
            return target;
        };
        if (release.archive !== undefined) {
            const archive = await fetchFile(release.archive);
            await runLogged("tar", ["-xzf", archive, "-C", directory, "--strip-components=1", "--no-same-owner"], {
                log: cache.logFile(`${name}-extract`),
                retry: "Run the same command again.",
            });
        }
        for (const [local, remote] of Object.entries(release.files ?? {})) {
            linkOrCopy(await fetchFile(remote), join(directory, local));
        }
        // Whole files stay for another run while a later one is missing; from here on they are used up or wrong.
        rmSync(downloads, { recursive: true, force: true });
        for (const binary of release.binaries) {
            requireArchitecture(join(directory, binary), architecture, `${binary} from ${base}`);
            chmodSync(join(directory, binary), 0o755);
        }
    };
    return cache.obtain(releaseKey(name, architecture), make, (pid) =>
        say(`Waiting for process ${pid}, which is downloading ${name} too.`),
    );
}
