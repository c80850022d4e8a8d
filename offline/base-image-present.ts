import { join } from "node:path";
import { versions } from "../components/versions";
import { ensurePackages } from "./apt";
import type { Cache } from "./cache";
import { outputOf, runLogged } from "./command";
import { messageOf } from "./errors";
import { withLock } from "./lock";
import type { Architecture } from "./platform";
import { say, step } from "./progress";
import { officialMode } from "./reachability";
import { runBuilder } from "./stand-ins";

const image = versions.baseImage;
const pullMs = 300_000;

/** Where the base image in the engine came from; undefined when it is not there. */
export function baseImageOrigin(): "official" | "stand-in" | undefined {
    // Only an image that was pulled knows the digest it has in a registry.
    const digests = outputOf("docker", ["image", "inspect", "--format", "{{len .RepoDigests}}", image]);
    if (digests === undefined) return undefined;
    return digests === "0" ? "stand-in" : "official";
}

/** The base of every image in the engine: present, pulled, or made from Debian's packages. */
export async function ensureBaseImage(cache: Cache, architecture: Architecture): Promise<void> {
    if (baseImageOrigin() !== undefined) return;
    const mode = officialMode();
    if (mode !== "never") {
        try {
            await step(`pulling ${image}`, () =>
                runLogged("timeout", [String(pullMs / 1000), "docker", "pull", "--quiet", image], {
                    log: cache.logFile("docker-pull"),
                    retry: "Check that the engine can reach its registry.",
                }),
            );
            return;
        } catch (error) {
            if (mode === "only") throw error;
            say(`${image} cannot be pulled (${lastLine(messageOf(error))}): making it from Debian packages.`);
        }
    }
    await ensurePackages(["mmdebstrap"], `to make ${image}`, cache.logFile("apt-base-image"));
    const tar = join(cache.root, "base-image", `debian-trixie-${architecture}.tar`);
    await step(`making ${image} from Debian packages`, () =>
        withLock(join(cache.root, "locks", "base-image.lock"), async () => {
            await runBuilder(cache, "base-image", tar);
            await runLogged("docker", ["import", "--change", 'CMD ["bash"]', tar, image], {
                log: cache.logFile("docker-import"),
                retry: "Run the same command again.",
            });
        }),
    );
}

function lastLine(message: string): string {
    const lines = message.split("\n").filter((line) => line.startsWith("    ") && line.trim() !== "");
    return (lines.at(-1) ?? message).trim().slice(0, 160);
}
