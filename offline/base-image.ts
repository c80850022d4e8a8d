import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** The name under which `docker import` makes the result known: the Dockerfiles of the product start from it. */
export const baseImageName = "debian:trixie-slim";

const suite = "trixie";
const hostCertificates = "/usr/local/share/ca-certificates";
const certificateBundle = "/etc/ssl/certs/ca-certificates.crt";

/** A fixed time for every file, so that equal packages give equal bytes. */
const epoch = "1735689600";

/** What a slim image leaves out, as the official one does. */
const excluded = [
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/lintian/*",
];

/** Bookkeeping of the bootstrap that differs from run to run. */
const volatileFiles = [
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/var/cache/ldconfig/aux-cache",
    "/var/log/apt",
    "/var/log/dpkg.log",
    "/var/log/alternatives.log",
    "/var/log/bootstrap.log",
];

/** The part of the host's apt configuration that decides whether its network can be used. */
const aptNetworkOption =
    /^Acquire::(Check-Valid-Until|Check-Date|Retries|Queue-Mode|https?::(Proxy|Timeout|Proxy-Auto-Detect)|(https?::)?Proxy)\b/i;

/** Picks from `apt-config dump` the lines a machine on the same network needs too. */
export function aptNetworkOptions(dump: string): string[] {
    return dump
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => aptNetworkOption.test(line) && !line.endsWith('"";'));
}

/** One `deb` line per Debian archive the host uses, moved to the suite of the image; none leaves mmdebstrap's own. */
export function aptSources(targets: string): string[] {
    const archives = new Map<string, string>();
    for (const line of targets.split("\n")) {
        const [origin, label, uri] = line.trim().split("|");
        if (origin === "Debian" && label && uri && !archives.has(label)) archives.set(label, uri.replace(/\/$/, ""));
    }
    const main = archives.get("Debian");
    if (main === undefined) return [];
    const security = archives.get("Debian-Security");
    return [
        `deb ${main} ${suite} main`,
        `deb ${main} ${suite}-updates main`,
        ...(security === undefined ? [] : [`deb ${security} ${suite}-security main`]),
    ];
}

/** pip's configuration: the host's own when it has one, else the system's certificates. */
export function pipConfiguration(hostFile: string | undefined, indexUrl: string | undefined): string {
    const text = hostFile ?? "[global]\n";
    const lines = text.trimEnd().split("\n");
    const has = (key: string) => lines.some((line) => line.replace(/\s/g, "").startsWith(`${key}=`));
    const at = lines.indexOf("[global]");
    const extra = [
        ...(has("cert") ? [] : [`cert = ${certificateBundle}`]),
        ...(has("index-url") || indexUrl === undefined ? [] : [`index-url = ${indexUrl}`]),
    ];
    if (at >= 0) lines.splice(at + 1, 0, ...extra);
    else if (extra.length > 0) lines.push("[global]", ...extra);
    return lines.join("\n") + "\n";
}

function output(command: string, args: string[]): string {
    try {
        return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    } catch {
        return "";
    }
}

/** The host's apt settings in the form mmdebstrap takes: its options, and its archives for the image's suite. */
export function hostApt(): { options: string[]; sources: string[] } {
    return {
        options: aptNetworkOptions(output("apt-config", ["dump"])),
        sources: aptSources(
            output("apt-get", ["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]),
        ),
    };
}

function extraCertificates(): string[] {
    if (!existsSync(hostCertificates)) return [];
    return readdirSync(hostCertificates)
        .filter((file) => file.endsWith(".crt"))
        .sort()
        .map((file) => join(hostCertificates, file));
}

/**
 * Writes a Debian trixie root file system to `tarPath`, for `docker import` as `debian:trixie-slim` where the official
 * image cannot be pulled. It carries the host's extra certificate authorities and its apt and pip settings, so that
 * `apt-get` and `pip install` work inside `docker build --network host` as they do on the host.
 *
 * An existing file made from the same inputs is left alone. Equal package versions give equal bytes.
 */
export function buildBaseImage(tarPath: string): void {
    const certificates = extraCertificates();
    const { options, sources } = hostApt();
    const pip = pipConfiguration(
        existsSync("/etc/pip.conf") ? readFileSync("/etc/pip.conf", "utf8") : undefined,
        process.env["PIP_INDEX_URL"],
    );

    const recipe = createHash("sha256");
    const inputs = [suite, epoch, excluded, volatileFiles, options, sources, pip];
    recipe.update(JSON.stringify([inputs, certificates.map((file) => readFileSync(file, "utf8"))]));
    const stamp = recipe.digest("hex");
    const stampFile = `${tarPath}.recipe`;
    if (existsSync(tarPath) && existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;

    mkdirSync(dirname(tarPath), { recursive: true });
    const scratch = join(tmpdir(), `base-image-${process.pid}`);
    mkdirSync(scratch, { recursive: true });
    writeFileSync(join(scratch, "pip.conf"), pip);
    const partial = `${tarPath}.partial.tar`;
    const args = [
        "--quiet",
        "--variant=minbase",
        "--include=ca-certificates",
        ...options.map((option) => `--aptopt=${option}`),
        ...excluded.map((option) => `--dpkgopt=${option}`),
        `--customize-hook=copy-in ${join(scratch, "pip.conf")} /etc`,
        '--customize-hook=mkdir -p "$1/usr/local/share/ca-certificates"',
        ...certificates.map((file) => `--customize-hook=copy-in ${file} ${hostCertificates}`),
        '--customize-hook=chroot "$1" update-ca-certificates >/dev/null',
        `--customize-hook=cd "$1" && rm -rf ${volatileFiles.map((file) => `.${file}`).join(" ")}`,
        suite,
        partial,
        ...sources,
    ];
    try {
        execFileSync("mmdebstrap", args, {
            encoding: "utf8",
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, SOURCE_DATE_EPOCH: epoch, LC_ALL: "C.UTF-8" },
            maxBuffer: 64 << 20,
        });
        renameSync(partial, tarPath);
        writeFileSync(stampFile, stamp);
    } catch (error) {
        const log = String((error as { stderr?: unknown }).stderr ?? error);
        const tail = log.trimEnd().split("\n").slice(-15).join("\n");
        throw new Error(
            `base image ${basename(tarPath)}: mmdebstrap of Debian ${suite} failed on this machine.\n${tail}\n` +
                "Check that `apt-get update` works and that mmdebstrap is installed, then run the same command again.",
            { cause: error },
        );
    } finally {
        rmSync(scratch, { recursive: true, force: true });
        rmSync(partial, { force: true });
    }
}
