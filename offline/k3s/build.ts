import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    renameSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchDebianPrograms } from "./debian-programs";
import { imageArchive, type ImageTags } from "./images";
import { tar, type TarEntry } from "./tar";

const here = __dirname;

/** Names under which the multi-call binary of Kubernetes is called. */
const kubernetesNames = [
    "kubeadm",
    "kubectl",
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
];

const debianPrograms = [
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "bridge",
    "host-local",
    "portmap",
    "loopback",
];

/** Marks the end of a file that carries a payload; payload.go reads it. */
const magic = "K3SSTND1";

export interface BuildK3sOptions {
    /** Directory with the programs `kube`, `etcd`, `coredns` and `local-path-provisioner`. */
    binaries: string;
    /** Directory for the results `k3s` and `k3s-airgap-images.tar.zst`. */
    out: string;
    /** Architecture in Go's words; only that of this machine can be built. @default this machine's */
    arch?: string;
}

export interface K3sFiles {
    /** The stand-in: one file that takes the place of the k3s release binary. */
    k3s: string;
    /** Images for /var/lib/rancher/k3s/agent/images. */
    airgapImages: string;
}

function step<T>(what: string, work: () => T): T {
    try {
        return work();
    } catch (error) {
        const log = ((error as { stderr?: Buffer }).stderr ?? Buffer.alloc(0)).toString().trimEnd();
        const tail = log.split("\n").slice(-15).join("\n");
        throw new Error(
            `k3s stand-in: ${what} failed on this machine: ${(error as Error).message}\n${tail}\nOnce the cause is gone, run the same command again.`,
            { cause: error },
        );
    }
}

function execute(
    command: string,
    args: string[],
    options: { env?: NodeJS.ProcessEnv; input?: Buffer; cwd?: string } = {},
) {
    return execFileSync(command, args, {
        ...options,
        env: { ...process.env, ...options.env },
        stdio: ["pipe", "pipe", "pipe"],
        maxBuffer: 1 << 30,
    });
}

function compress(data: Buffer): Buffer {
    return execute("zstd", ["-q", "-3", "-T0", "-c"], { input: data });
}

function goArchitecture(): string {
    const names: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", arm64: "arm64" };
    const name = names[process.arch];
    if (name === undefined) throw new Error(`k3s stand-in: no build for ${process.arch}; use amd64 or arm64`);
    return name;
}

/** The constants of images.go that name the images, read from there so that they are written once. */
export function imageTags(source: string, kubernetes: string): ImageTags {
    const constant = (name: string) => {
        const value = new RegExp(`\\b${name}\\s*=\\s*"([^"]+)"`).exec(source)?.[1];
        if (value === undefined) throw new Error(`images.go has no constant ${name}`);
        return value;
    };
    return {
        kubernetes,
        pause: constant("pauseTag"),
        etcd: constant("etcdTag"),
        coredns: constant("coreDNSTag"),
        localPathProvisioner: constant("localPathTag"),
        busybox: constant("busyboxTag"),
    };
}

/** The file that carries the programs: the stand-in, zstd(tar), length, digest, magic. */
export function withPayload(program: Buffer, payload: Buffer): Buffer {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.length));
    const digest = createHash("sha256").update(payload).digest();
    return Buffer.concat([program, payload, length, digest, Buffer.from(magic, "ascii")]);
}

function write(path: string, data: Buffer, mode: number): void {
    writeFileSync(`${path}.partial`, data);
    chmodSync(`${path}.partial`, mode);
    renameSync(`${path}.partial`, path);
}

/** Compiles only the stand-in itself, without its payload. */
export function compileStandIn(target: string, arch: string): void {
    execute("go", ["build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", target, "."], {
        cwd: here,
        env: { CGO_ENABLED: "0", GOOS: "linux", GOARCH: arch, GOFLAGS: "-mod=readonly" },
    });
}

/** Builds the stand-in for k3s and its air-gap images. No container engine is needed. */
export function buildK3s({ binaries, out, arch = goArchitecture() }: BuildK3sOptions): K3sFiles {
    if (arch !== goArchitecture()) {
        throw new Error(
            `k3s stand-in: this machine builds for ${goArchitecture()}, not for ${arch}; run the build there`,
        );
    }
    const needed = ["kube", "etcd", "coredns", "local-path-provisioner"];
    const missing = needed.filter((name) => !existsSync(join(binaries, name)));
    if (missing.length > 0) throw new Error(`k3s stand-in: ${binaries} lacks ${missing.join(", ")}; build them first`);

    mkdirSync(out, { recursive: true });
    const debian = join(out, "debian");
    fetchDebianPrograms(debian);
    const scratch = mkdtempSync(join(tmpdir(), "k3s-build-"));
    try {
        const standIn = join(scratch, "k3s");
        step("compiling offline/k3s", () => compileStandIn(standIn, arch));
        const pause = join(scratch, "pause");
        step("compiling pause.c", () =>
            execute("gcc", ["-Os", "-static", "-s", "-Wl,--build-id=none", "-o", pause, join(here, "pause.c")]),
        );

        const payload: TarEntry[] = [
            { name: "kube", data: readFileSync(join(binaries, "kube")), mode: 0o755 },
            ...kubernetesNames.map((name) => ({ name, link: "kube" })),
            ...debianPrograms.map((name) => ({ name, data: readFileSync(join(debian, name)), mode: 0o755 })),
        ];
        const k3s = join(out, "k3s");
        step("packing the programs", () =>
            write(k3s, withPayload(readFileSync(standIn), compress(tar(payload))), 0o755),
        );

        const kubernetes = /kubernetesVersion\s*=\s*"([^"]+)"/.exec(readFileSync(join(here, "main.go"), "utf8"))?.[1];
        if (kubernetes === undefined) throw new Error("main.go has no constant kubernetesVersion");
        const images = imageArchive(
            {
                pause: readFileSync(pause),
                etcd: readFileSync(join(binaries, "etcd")),
                coredns: readFileSync(join(binaries, "coredns")),
                localPathProvisioner: readFileSync(join(binaries, "local-path-provisioner")),
                busybox: readFileSync(join(debian, "busybox")),
                applets: execute(join(debian, "busybox"), ["--list"]).toString().trim().split("\n"),
            },
            imageTags(readFileSync(join(here, "images.go"), "utf8"), kubernetes),
            arch,
        );
        const airgapImages = join(out, "k3s-airgap-images.tar.zst");
        step("packing the images", () => write(airgapImages, compress(images), 0o644));
        return { k3s, airgapImages };
    } finally {
        rmSync(scratch, { recursive: true, force: true });
    }
}
