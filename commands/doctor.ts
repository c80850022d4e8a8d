/** make doctor: what is here, where it comes from, and what to do about what is missing. */
import { existsSync, readFileSync, statfsSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { versions } from "../components/versions";
import { baseImageOrigin } from "../offline/base-image-present";
import { Cache } from "../offline/cache";
import { checkout, stateDirectory } from "../offline/checkout";
import { findCommand, outputOf } from "../offline/command";
import { engineVersion, ownEngine } from "../offline/docker-engine";
import { goProgramKey } from "../offline/go-build";
import { currentSetting, hostSettings, isSatisfied } from "../offline/host-settings";
import { decideOrigin, installedPulumi, OriginRecord, type Group, type Origin } from "../offline/origin";
import { hostArchitecture } from "../offline/platform";
import { officialMode, Reachability } from "../offline/reachability";
import { releaseKey, releaseNames, siteOf } from "../offline/releases";
import { makesObjectStore } from "../offline/stack-settings";
import { engineKey, etcdKey, k3sKey, versitygwKey } from "../offline/stand-ins";
import { toolVersions } from "../offline/tool-versions";
import { main } from "./main";
import { printTable } from "./table";

interface Row {
    part: string;
    version: string;
    origin: string;
    path: string;
    /** Missing parts that make up brings are no failure by themselves. */
    state: "ok" | "make up brings it" | "MISSING";
    remedy?: string;
}

const cache = new Cache();
const architecture = hostArchitecture();
const minimumMemory = 8e9;
const minimumDisk = 15e9;

const originNames: Record<Group, Record<Origin, string>> = {
    pulumi: {
        installed: "official, on PATH",
        release: "official, downloaded",
        offline: "CLI: official source, built here; language host and plugins: stand-ins",
    },
    k3s: { installed: "", release: "official, downloaded", offline: "stand-in on upstream Kubernetes, built here" },
    etcd: { installed: "", release: "official, downloaded", offline: "official source, built here" },
    versitygw: { installed: "", release: "official, downloaded", offline: "official source, built here" },
};

async function partRow(group: Group): Promise<Row> {
    const options = {
        cacheDirectory: cache.root,
        reachability: new Reachability(cache.root),
        record: new OriginRecord(stateDirectory),
    };
    const origin = await decideOrigin(group, options);
    const { k3s, etcd, versitygw } = versions;
    const version = { pulumi: `v${toolVersions.pulumi}`, k3s, etcd, versitygw }[group];
    const installed = origin === "installed" ? installedPulumi(cache.root) : undefined;
    const offlineKeys = { pulumi: engineKey, k3s: k3sKey, etcd: etcdKey, versitygw: versitygwKey };
    const key = origin === "offline" ? offlineKeys[group](architecture) : releaseKey(group, architecture);
    const path = installed?.path ?? cache.find(key);
    return {
        part: group,
        version: installed?.version ?? version,
        origin: originNames[group][origin],
        path: path ?? "",
        state: path === undefined ? "make up brings it" : "ok",
    };
}

function machineRows(): Row[] {
    const engine = engineVersion();
    const own = ownEngine({ directory: join(cache.root, "docker") });
    const image = baseImageOrigin();
    return [
        {
            part: "container engine",
            version: engine ?? "",
            origin: own === undefined ? "this host's" : `started by make up (process ${own.pid})`,
            path: findCommand("dockerd") ?? findCommand("docker") ?? "",
            state: engine === undefined ? "make up brings it" : "ok",
        },
        {
            part: "base image",
            version: versions.baseImage,
            origin: image === "stand-in" ? "stand-in, from Debian packages" : (image ?? ""),
            path: "",
            state: image === undefined ? "make up brings it" : "ok",
        },
    ];
}

function toolRows(needsGo: boolean): Row[] {
    const node = Number(process.versions.node.split(".")[0]);
    const modules = existsSync(join(checkout, "node_modules", "@pulumi", "pulumi"));
    const go = outputOf("go", ["env", "GOVERSION"]);
    return [
        {
            part: "node",
            version: process.version,
            origin: "this host's",
            path: process.execPath,
            state: node >= 20 ? "ok" : "MISSING",
            remedy: "Install Node 20 or newer.",
        },
        {
            part: "npm packages",
            version: "",
            origin: "package-lock.json",
            path: join(checkout, "node_modules"),
            state: modules ? "ok" : "MISSING",
            remedy: "Run: make node_modules",
        },
        {
            part: "go",
            version: go ?? "",
            origin: needsGo ? "builds the parts above" : "not needed",
            path: findCommand("go") ?? "",
            state: go !== undefined || !needsGo ? "ok" : "MISSING",
            remedy: "Install Go 1.26 or newer, or let the official releases be reached.",
        },
    ];
}

function hostRows(): Row[] {
    const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");
    const disk = statfsSync(existsSync(cache.root) ? cache.root : "/");
    const free = disk.bavail * disk.bsize;
    const memory = `${(totalmem() / 1e9).toFixed(0)} GB, ${(freemem() / 1e9).toFixed(0)} GB free`;
    const row = (part: string, version: string, ok = true, remedy = ""): Row => ({
        part,
        version,
        origin: "",
        path: "",
        state: ok ? "ok" : "MISSING",
        remedy,
    });
    const settings = hostSettings.map((setting): Row => {
        const state = isSatisfied(setting) ? "ok" : "make up brings it";
        return { ...row(setting.key, String(currentSetting(setting.key) ?? "")), state };
    });
    return [
        row("system", `${systemName()}, ${architecture}, ${cpus().length} cores`),
        row("cgroups", unified ? "v2" : "v1 or hybrid"),
        row("memory", memory, totalmem() >= minimumMemory, "The dev stack with three machines needs 8 GB."),
        row("disk", `${(free / 1e9).toFixed(0)} GB free`, free >= minimumDisk, "Free 15 GB for images and volumes."),
        ...settings,
    ];
}

function systemName(): string {
    try {
        return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? process.platform;
    } catch {
        return process.platform;
    }
}

async function siteRows(): Promise<string[][]> {
    const reachability = new Reachability(cache.root);
    const answers = releaseNames.map(async (name) => {
        const { address, variable } = siteOf(name);
        const asked = officialMode() !== "never";
        const reachable = asked && (await reachability.of(address));
        return [name, address, asked ? (reachable ? "reachable" : "not reachable") : "not asked", variable];
    });
    return Promise.all(answers);
}

async function doctor(): Promise<number> {
    const parts = [await partRow("pulumi"), await partRow("k3s"), await partRow("etcd")];
    if (makesObjectStore()) parts.push(await partRow("versitygw"));
    const isCompiled = (part: string) =>
        cache.find(goProgramKey(part === "versitygw" ? part : "kube", architecture)) !== undefined;
    const needsGo = parts.some(
        ({ part, state, origin }) => state !== "ok" && origin.includes("built here") && !isCompiled(part),
    );
    const rows = [...parts, ...machineRows(), ...toolRows(needsGo), ...hostRows()];
    printTable(
        ["part", "version", "origin", "state", "path"],
        rows.map(({ part, version, origin, state, path }) => [part, version, origin, state, path]),
    );
    process.stdout.write("\n");
    printTable(["releases of", "address", "", "mirror by setting"], await siteRows());
    const mode = { auto: "unset: official where reachable", only: "0: official only", never: "1: offline parts only" };
    process.stdout.write(`\nPOSTGRES_HA_OFFLINE is ${mode[officialMode()]}\nCache: ${cache.root}\n`);
    const missing = rows.filter(({ state }) => state === "MISSING");
    for (const { part, remedy } of missing) process.stdout.write(`\n${part}: ${remedy ?? ""}`);
    const later = rows.filter(({ state }) => state === "make up brings it").length;
    if (later > 0) process.stdout.write(`\n${later} parts are not there yet: make up brings them.`);
    process.stdout.write(missing.length + later > 0 ? "\n" : "\nEverything is here.\n");
    return missing.length + later > 0 ? 1 : 0;
}

main(doctor);
