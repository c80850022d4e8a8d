import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { outputOf } from "./command";
import { ToolchainError, UnreachableError } from "./errors";
import { modeOfParts, type OfficialMode, type Reachability } from "./reachability";
import { siteOf, type ReleaseName } from "./releases";
import { say } from "./progress";
import { stackName } from "./stack-settings";
import { toolVersions } from "./tool-versions";

/** installed: the official release on PATH; release: downloaded; offline: built from source, with stand-ins. */
export type Origin = "installed" | "release" | "offline";

export type Group = ReleaseName;

/** PATH without the folders of the cache: a shell set up by `make env` must not make a stand-in look installed. */
export function pathWithout(cacheDirectory: string, path: string = process.env["PATH"] ?? ""): string {
    return path
        .split(delimiter)
        .filter((folder) => folder !== "" && !folder.startsWith(`${cacheDirectory}/`))
        .join(delimiter);
}

function isNewEnough(version: string): boolean {
    const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
    const [wantedMajor = 0, wantedMinor = 0] = toolVersions.pulumi.split(".").map(Number);
    return major === wantedMajor && minor >= wantedMinor;
}

export interface InstalledPulumi {
    path: string;
    version: string;
    /** Plugins of the pinned SDKs that are not installed. */
    missingPlugins: string[];
}

/** The official CLI on PATH with its language host beside it or on PATH, when it is new enough for the SDK. */
export function installedPulumi(cacheDirectory: string): InstalledPulumi | undefined {
    const environment = { PATH: pathWithout(cacheDirectory), PULUMI_SKIP_UPDATE_CHECK: "1" };
    const find = (name: string) => outputOf("sh", ["-c", `command -v ${name}`], environment);
    const path = find("pulumi");
    if (path === undefined) return undefined;
    const host = "pulumi-language-nodejs";
    if (find(host) === undefined && !existsSync(join(dirname(realpathSync(path)), host))) return undefined;
    const version = outputOf(path, ["version"], environment);
    if (version === undefined || !isNewEnough(version)) return undefined;
    const plugins = join(process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "plugins");
    const missingPlugins = Object.entries(toolVersions.plugins)
        .map(([name, wanted]) => `resource-${name}-v${wanted}`)
        .filter((folder) => !existsSync(join(plugins, folder)));
    return { path, version, missingPlugins };
}

/** Where each part of a stack came from the last time. */
export class OriginRecord {
    private readonly file: string;

    constructor(
        private readonly directory: string,
        stack = stackName(),
    ) {
        this.file = join(directory, stack === "dev" ? "toolchain.json" : `toolchain-${stack}.json`);
    }

    read(): Partial<Record<Group, Origin>> {
        try {
            return JSON.parse(readFileSync(this.file, "utf8")) as Partial<Record<Group, Origin>>;
        } catch {
            return {};
        }
    }

    write(group: Group, origin: Origin): void {
        const record = { ...this.read(), [group]: origin };
        mkdirSync(this.directory, { recursive: true });
        writeFileSync(this.file, `${JSON.stringify(record, undefined, 2)}\n`);
    }
}

export interface OriginOptions {
    cacheDirectory: string;
    reachability: Reachability;
    record: OriginRecord;
    mode?: OfficialMode;
}

/**
 * Decides where a part comes from. A running stack keeps what it was made with: exchanging k3s or a provider under it
 * because the network came or went would be an upgrade that nobody asked for.
 */
export async function decideOrigin(group: Group, options: OriginOptions): Promise<Origin> {
    const { cacheDirectory, reachability, record, mode = modeOfParts() } = options;
    if (mode === "never") return "offline";
    const installed = group === "pulumi" ? installedPulumi(cacheDirectory) : undefined;
    const earlier = record.read()[group];
    const keeps = earlier !== undefined && (earlier !== "installed" || installed !== undefined);
    if (mode === "auto" && keeps) return earlier;
    if (installed?.missingPlugins.length === 0) return "installed";
    if (mode === "only" || (await reachability.of(siteOf(group).address))) {
        return installed === undefined ? "release" : "installed";
    }
    return "offline";
}

/** Obtains a part from where it was decided to come from; an unreachable site leads to the offline build. */
export async function obtainFrom<T>(
    group: Group,
    options: OriginOptions,
    sources: Record<Origin, () => Promise<T>>,
): Promise<{ origin: Origin; value: T }> {
    const { mode = modeOfParts(), record, reachability } = options;
    let origin = await decideOrigin(group, options);
    let value: T;
    try {
        value = await sources[origin]();
    } catch (error) {
        if (!(error instanceof UnreachableError) || origin !== "release") throw error;
        if (mode === "only") {
            throw new ToolchainError(
                error.problem,
                "Hosts of your own, and POSTGRES_HA_OFFLINE=0, get official releases only: mend the network, use plain pulumi " +
                    "(README.md), or ask for the stand-ins built here with POSTGRES_HA_OFFLINE=1.",
            );
        }
        say(`${error.problem} Building ${group} here instead.`);
        reachability.remember(siteOf(group).address, false);
        origin = "offline";
        value = await sources.offline();
    }
    record.write(group, origin);
    return { origin, value };
}
