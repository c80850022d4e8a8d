import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { hostApt } from "../base-image";

/** Programs taken from Debian packages, and where they lie in them. */
const programs = {
    containerd: ["usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/bin/ctr"],
    runc: ["usr/sbin/runc"],
    "containernetworking-plugins": [
        "usr/lib/cni/bridge",
        "usr/lib/cni/host-local",
        "usr/lib/cni/portmap",
        "usr/lib/cni/loopback",
    ],
    "busybox-static": ["usr/bin/busybox"],
};

const suite = "trixie";

/** The kubelet of this Kubernetes is the last that accepts containerd 1.7, and the stand-in writes its configuration. */
const containerdSeries = "1.7.";

/**
 * Puts the programs into `directory` and returns the versions of their packages. They are unpacked, not installed, and
 * kept: delete the directory to fetch them again.
 */
export function fetchDebianPrograms(directory: string): Record<string, string> {
    const versionsFile = join(directory, "versions.json");
    if (existsSync(versionsFile)) return JSON.parse(readFileSync(versionsFile, "utf8")) as Record<string, string>;
    const { options, sources } = hostApt();
    const scratch = mkdtempSync(join(tmpdir(), "debian-programs-"));
    const root = join(scratch, "root");
    const partial = `${directory}.partial`;
    try {
        execFileSync(
            "mmdebstrap",
            [
                "--quiet",
                "--variant=extract",
                "--skip=output/dev",
                `--include=${Object.keys(programs).join(",")}`,
                ...options.map((option) => `--aptopt=${option}`),
                `--extract-hook=for p in ${Object.keys(programs).join(" ")}; do APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache policy $p | sed -n "s/^ *Candidate: /$p=/p"; done >"${join(scratch, "versions")}"`,
                suite,
                root,
                ...sources,
            ],
            {
                encoding: "utf8",
                stdio: ["ignore", "pipe", "pipe"],
                maxBuffer: 64 << 20,
                env: { ...process.env, LC_ALL: "C.UTF-8" },
            },
        );
        rmSync(partial, { recursive: true, force: true });
        mkdirSync(partial, { recursive: true });
        for (const path of Object.values(programs).flat()) cpSync(join(root, path), join(partial, basename(path)));
        const versions = Object.fromEntries(
            readFileSync(join(scratch, "versions"), "utf8")
                .trim()
                .split("\n")
                .map((line) => line.split("=") as [string, string]),
        );
        if (!versions["containerd"]?.startsWith(containerdSeries)) {
            throw new Error(
                `Debian ${suite} has containerd ${versions["containerd"]}; the stand-in needs ${containerdSeries}x`,
            );
        }
        writeFileSync(join(partial, "versions.json"), JSON.stringify(versions, null, 2) + "\n");
        mkdirSync(dirname(directory), { recursive: true });
        rmSync(directory, { recursive: true, force: true });
        renameSync(partial, directory);
        return versions;
    } catch (error) {
        const log = (error as { stderr?: unknown }).stderr;
        const tail = String(log ?? error)
            .trimEnd()
            .split("\n")
            .slice(-15)
            .join("\n");
        throw new Error(
            `fetching containerd, runc and CNI plugins from Debian ${suite} failed on this machine.\n${tail}\n` +
                "Check that `apt-get update` works and that mmdebstrap is installed, then run the same command again.",
            { cause: error },
        );
    } finally {
        rmSync(scratch, { recursive: true, force: true });
        rmSync(partial, { recursive: true, force: true });
    }
}
