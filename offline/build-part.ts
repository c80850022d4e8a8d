/**
 * Runs one builder as a process of its own, so that its output lands in a log and a spinner can turn meanwhile:
 * `build-part.ts engine <out> | k3s <binaries> <out> <architecture> | base-image <tar>`.
 */
import { messageOf } from "./errors";

const builders: Record<string, (args: string[]) => Promise<void>> = {
    engine: async ([out = ""]) => {
        const { buildEngine } = await import("./engine/build.js");
        await buildEngine(out);
    },
    k3s: async ([binaries = "", out = "", architecture = ""]) => {
        const { buildK3s } = await import("./k3s/build.js");
        buildK3s({ binaries, out, arch: architecture });
    },
    "base-image": async ([tar = ""]) => {
        const { buildBaseImage } = await import("./base-image.js");
        buildBaseImage(tar);
    },
};

async function main([part = "", ...args]: string[]): Promise<void> {
    const build = builders[part];
    if (build === undefined) throw new Error(`There is no part "${part}".`);
    await build(args);
}

main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
});
