import { findCommand, outputOf, runLogged } from "./command";
import { ToolchainError } from "./errors";
import { say, step } from "./progress";

const options = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
const environment = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };

function isInstalled(name: string): boolean {
    return outputOf("dpkg-query", ["-W", "-f", "${db:Status-Status}", name]) === "installed";
}

/** Installs the Debian packages that are missing. `reason` completes the sentence "is needed ...". */
export async function ensurePackages(names: string[], reason: string, logFile: string): Promise<void> {
    const missing = names.filter((name) => !isInstalled(name));
    if (missing.length === 0) return;
    const list = missing.join(" ");
    if (findCommand("apt-get") === undefined) {
        throw new ToolchainError(
            `${list}: needed ${reason}, and this system has no apt-get.`,
            `Install the equivalent of the Debian packages ${list}, then run the same command again.`,
        );
    }
    if (process.getuid?.() !== 0) {
        throw new ToolchainError(
            `${list}: needed ${reason}, and installing needs root.`,
            `Run: sudo apt-get update && sudo apt-get install --no-install-recommends ${list}`,
        );
    }
    say(`Installing the Debian package${missing.length > 1 ? "s" : ""} ${list}: needed ${reason}.`);
    await step(`installing ${list}`, async (report) => {
        const run = (args: string[]): Promise<void> =>
            runLogged("apt-get", [...options, ...args], {
                log: logFile,
                environment,
                onLine: (line) => report.detail(line.slice(0, 60)),
                retry: `Check that \`apt-get update\` works, then run the same command again, or install by hand: apt-get install ${list}`,
            });
        await run(["update"]);
        await run(["install", "--yes", "--no-install-recommends", ...missing]);
    });
}
