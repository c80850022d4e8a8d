import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { versions } from "../components/versions";
import { ensurePackages } from "./apt";
import { recipeOf, type Cache, type PartKey } from "./cache";
import { checkout } from "./checkout";
import { runLogged } from "./command";
import { goProgramKey, obtainGoProgram, type GoProgramName } from "./go-build";
import { linkOrCopy } from "./link-or-copy";
import type { Architecture } from "./platform";
import { say, step } from "./progress";
import { toolVersions } from "./tool-versions";

const offline = join(checkout, "offline");
const retry = "Run the same command again: the parts finished so far are kept.";

/** What the stand-in for k3s is put together from. */
const k3sPrograms: GoProgramName[] = ["kube", "etcd", "coredns", "local-path-provisioner"];

/** Runs a builder in a process of its own; see build-part.ts. */
export async function runBuilder(cache: Cache, part: string, ...args: string[]): Promise<void> {
    await runLogged(process.execPath, ["--import", "tsx", join(offline, "build-part.ts"), part, ...args], {
        cwd: checkout,
        log: cache.logFile(part),
        retry,
    });
}

export function engineKey(architecture: Architecture): PartKey {
    const pulumi = goProgramKey("pulumi", architecture);
    const recipe = recipeOf([pulumi.recipe], [join(offline, "engine"), join(checkout, "package-lock.json")]);
    return { name: "engine", version: toolVersions.pulumi, architecture, recipe };
}

/** The Pulumi CLI from its module, with stand-ins for the language host and the plugins: `bin/` and `home/plugins/`. */
export async function obtainEngine(cache: Cache, architecture: Architecture): Promise<string> {
    const ready = cache.find(engineKey(architecture));
    if (ready !== undefined) return ready;
    const pulumi = await obtainGoProgram(cache, "pulumi", architecture);
    const make = (directory: string): Promise<void> =>
        step("building the language host and the plugins", async () => {
            await runBuilder(cache, "engine", directory);
            mkdirSync(join(directory, "bin"), { recursive: true });
            // Not a symbolic link: the CLI resolves it and then warns that the language host is not beside it.
            linkOrCopy(pulumi, join(directory, "bin", "pulumi"));
        });
    return cache.obtain(engineKey(architecture), make, waiting("the engine"));
}

export function k3sKey(architecture: Architecture): PartKey {
    const programs = k3sPrograms.map((name) => goProgramKey(name, architecture).recipe);
    const recipe = recipeOf(programs, [join(offline, "k3s")]);
    return { name: "k3s", version: versions.k3s.replace("+", "-"), architecture, recipe };
}

/** Directory with `k3s` and `k3s-airgap-images.tar.zst`, made from upstream Kubernetes. */
export async function obtainK3s(cache: Cache, architecture: Architecture): Promise<string> {
    const ready = cache.find(k3sKey(architecture));
    if (ready !== undefined) return ready;
    const programs = new Map<string, string>();
    for (const name of k3sPrograms) programs.set(name, await obtainGoProgram(cache, name, architecture));
    await ensurePackages(["zstd", "mmdebstrap"], "to build the stand-in for k3s", cache.logFile("apt-k3s"));
    const make = (directory: string): Promise<void> =>
        step("building the stand-in for k3s and its images", async () => {
            const binaries = join(directory, "binaries");
            mkdirSync(binaries);
            for (const [name, path] of programs) linkOrCopy(path, join(binaries, name));
            await runBuilder(cache, "k3s", binaries, directory, architecture);
            rmSync(binaries, { recursive: true });
        });
    return cache.obtain(k3sKey(architecture), make, waiting("k3s"));
}

export function etcdKey(architecture: Architecture): PartKey {
    const programs = (["etcd", "etcdctl"] as const).map((name) => goProgramKey(name, architecture).recipe);
    return { name: "etcd-tools", version: versions.etcd, architecture, recipe: recipeOf(programs) };
}

/** Directory with `etcd` and `etcdctl`, built from their modules. */
export async function obtainEtcd(cache: Cache, architecture: Architecture): Promise<string> {
    const ready = cache.find(etcdKey(architecture));
    if (ready !== undefined) return ready;
    const server = await obtainGoProgram(cache, "etcd", architecture);
    const client = await obtainGoProgram(cache, "etcdctl", architecture);
    return cache.obtain(etcdKey(architecture), (directory) => {
        linkOrCopy(server, join(directory, "etcd"));
        linkOrCopy(client, join(directory, "etcdctl"));
        return Promise.resolve();
    });
}

export function versitygwKey(architecture: Architecture): PartKey {
    return goProgramKey("versitygw", architecture);
}

/** Directory with `versitygw`, built from its module. */
export async function obtainVersitygw(cache: Cache, architecture: Architecture): Promise<string> {
    return dirname(await obtainGoProgram(cache, "versitygw", architecture));
}

function waiting(name: string): (pid: number) => void {
    return (pid) => say(`Waiting for process ${pid}, which is building ${name} too.`);
}
