import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { artifactsKey, obtainArtifacts } from "./artifacts";
import { ensureBaseImage } from "./base-image-present";
import { Cache, type PartKey } from "./cache";
import { stateDirectory } from "./checkout";
import { ensureDockerEngine } from "./docker-engine";
import { ensureHostSettings } from "./host-settings";
import {
    decideOrigin,
    installedPulumi,
    obtainFrom,
    OriginRecord,
    pathWithout,
    type Group,
    type Origin,
} from "./origin";
import { hostArchitecture } from "./platform";
import { Reachability } from "./reachability";
import { obtainRelease, releaseKey } from "./releases";
import { makesObjectStore } from "./stack-settings";
import {
    engineKey,
    etcdKey,
    k3sKey,
    obtainEngine,
    obtainEtcd,
    obtainK3s,
    obtainVersitygw,
    versitygwKey,
} from "./stand-ins";

export interface Toolchain {
    /** Of the parts that the stack needs. */
    origins: Origins;
    /** Folder put before PATH; undefined when the official release is on PATH. */
    engineBin: string | undefined;
    artifacts: string;
    /** What `pulumi` needs in its environment. */
    environment: Record<string, string>;
    /** Parts that were made before the present sources, used because the present ones are not there. */
    earlier: string[];
}

export type Origins = Record<Exclude<Group, "versitygw">, Origin> & { versitygw?: Origin };

export interface ToolchainOptions {
    cache?: Cache;
    /** Keeps where parts came from, and Pulumi's home when stand-ins are used. @default .state */
    state?: string;
    /** Without it the container engine and the base image are made sure of as well. */
    withoutMachines?: boolean;
    /** The server of an object store is needed. @default what the stack's settings say */
    objectStore?: boolean;
}

function contextOf({ cache = new Cache(), state = stateDirectory }: ToolchainOptions) {
    const record = new OriginRecord(state);
    const reachability = new Reachability(cache.root);
    return { cache, state, record, reachability, cacheDirectory: cache.root, architecture: hostArchitecture() };
}

/** Makes sure that everything `pulumi up` needs on this machine exists; what exists is used as it is. */
export async function ensureToolchain(options: ToolchainOptions = {}): Promise<Toolchain> {
    const context = contextOf(options);
    const { cache, architecture } = context;
    const needsObjectStore = options.objectStore ?? makesObjectStore();
    const machines = async (): Promise<void> => {
        if (options.withoutMachines === true) return;
        ensureHostSettings();
        await ensureDockerEngine({ directory: join(cache.root, "docker") });
        await ensureBaseImage(cache, architecture);
    };
    const tools = async (): Promise<Toolchain> => {
        const engine = await obtainFrom("pulumi", context, {
            installed: () => Promise.resolve(dirname(installedPulumi(cache.root)?.path ?? "")),
            release: () => obtainRelease(cache, "pulumi", architecture),
            offline: () => obtainEngine(cache, architecture),
        });
        const k3s = await obtainFrom("k3s", context, {
            installed: () => obtainRelease(cache, "k3s", architecture),
            release: () => obtainRelease(cache, "k3s", architecture),
            offline: () => obtainK3s(cache, architecture),
        });
        const etcd = await obtainFrom("etcd", context, {
            installed: () => obtainRelease(cache, "etcd", architecture),
            release: () => obtainRelease(cache, "etcd", architecture),
            offline: () => obtainEtcd(cache, architecture),
        });
        const store = needsObjectStore
            ? await obtainFrom("versitygw", context, {
                  installed: () => obtainRelease(cache, "versitygw", architecture),
                  release: () => obtainRelease(cache, "versitygw", architecture),
                  offline: () => obtainVersitygw(cache, architecture),
              })
            : undefined;
        const parts = { k3s: k3s.value, etcd: etcd.value, versitygw: store?.value };
        const artifacts = await obtainArtifacts(cache, parts, architecture);
        const origins = { pulumi: engine.origin, k3s: k3s.origin, etcd: etcd.origin, ...originOf(store) };
        return describe(origins, engine.value, artifacts, context);
    };
    const [toolchain] = await Promise.all([tools(), machines()]);
    return toolchain;
}

const originOf = (store: { origin: Origin } | undefined): Pick<Origins, "versitygw"> =>
    store === undefined ? {} : { versitygw: store.origin };

/** The toolchain as far as it is there already: nothing is built, downloaded or started. */
export async function findToolchain(options: ToolchainOptions = {}): Promise<Toolchain | undefined> {
    return find(options, false);
}

/**
 * The toolchain for commands that only look at a stack: where the present part is not there, because a source below
 * offline/ changed since, the one used last. `earlier` names those.
 */
export async function findUsableToolchain(options: ToolchainOptions = {}): Promise<Toolchain | undefined> {
    return find(options, true);
}

async function find(options: ToolchainOptions, acceptEarlier: boolean): Promise<Toolchain | undefined> {
    const context = contextOf(options);
    const { cache, architecture } = context;
    const needsObjectStore = options.objectStore ?? makesObjectStore();
    const origins: Origins = {
        pulumi: await decideOrigin("pulumi", context),
        k3s: await decideOrigin("k3s", context),
        etcd: await decideOrigin("etcd", context),
        ...(needsObjectStore ? { versitygw: await decideOrigin("versitygw", context) } : {}),
    };
    const earlier: string[] = [];
    const findPart = (key: PartKey): string | undefined => {
        const present = cache.find(key);
        const path = present ?? (acceptEarlier ? cache.findEarlier(key) : undefined);
        if (path !== undefined && present === undefined) earlier.push(basename(path));
        return path;
    };
    const offlineKeys = { pulumi: engineKey, k3s: k3sKey, etcd: etcdKey, versitygw: versitygwKey };
    const findGroup = (group: Group): string | undefined =>
        findPart(origins[group] === "offline" ? offlineKeys[group](architecture) : releaseKey(group, architecture));
    const installed = origins.pulumi === "installed" ? installedPulumi(cache.root) : undefined;
    const engine = installed === undefined ? findGroup("pulumi") : dirname(installed.path);
    const [k3s, etcd] = [findGroup("k3s"), findGroup("etcd")];
    const versitygw = needsObjectStore ? findGroup("versitygw") : undefined;
    if (engine === undefined || k3s === undefined || etcd === undefined) return undefined;
    if (needsObjectStore && versitygw === undefined) return undefined;
    const artifacts = findPart(artifactsKey({ k3s, etcd, versitygw }, architecture));
    return artifacts === undefined ? undefined : { ...describe(origins, engine, artifacts, context), earlier };
}

function describe(
    origins: Origins,
    engine: string,
    artifacts: string,
    { cache, state }: { cache: Cache; state: string },
): Toolchain {
    const path = pathWithout(cache.root);
    const common = { POSTGRES_HA_ARTIFACTS: artifacts, PULUMI_SKIP_UPDATE_CHECK: "1" };
    if (origins.pulumi === "installed") {
        return { origins, engineBin: undefined, artifacts, environment: { ...common, PATH: path }, earlier: [] };
    }
    const engineBin = origins.pulumi === "release" ? engine : join(engine, "bin");
    const environment: Record<string, string> = { ...common, PATH: `${engineBin}:${path}` };
    if (origins.pulumi === "offline") {
        environment["PULUMI_HOME"] = linkPlugins(join(state, "home"), join(engine, "home", "plugins"));
        environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true";
    }
    return { origins, engineBin, artifacts, environment, earlier: [] };
}

/** Pulumi writes into its home; the cached part stays as it was made, and the plugins are seen through a link. */
function linkPlugins(home: string, plugins: string): string {
    const link = join(home, "plugins");
    mkdirSync(home, { recursive: true });
    const current = existsSync(link) ? linkTarget(link) : undefined;
    if (current !== plugins) {
        rmSync(link, { recursive: true, force: true });
        symlinkSync(plugins, link);
    }
    return home;
}

function linkTarget(link: string): string | undefined {
    try {
        return readlinkSync(link);
    } catch {
        return undefined;
    }
}
