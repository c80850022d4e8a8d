import { chmod, copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createRequire } from "node:module";
import { build } from "esbuild";
import { DYNAMIC_HOST, type Identity, introduce, KUBERNETES, LANGUAGE_HOST, RANDOM } from "./identity";

const ENGINE_FOLDER = __dirname;
const requireFromSdk = createRequire(createRequire(__filename).resolve("@pulumi/pulumi"));

interface Executable {
    readonly source: string;
    readonly identity: Identity;
    readonly sdk: string;
    readonly target: string;
}

function executables(outDir: string): Executable[] {
    const pluginFolder = (name: string, version: string): string =>
        join(outDir, "home", "plugins", `resource-${name}-v${version}`);
    return [
        {
            source: "language-host.ts",
            identity: LANGUAGE_HOST,
            sdk: "@pulumi/pulumi",
            target: join(outDir, "bin", LANGUAGE_HOST.official),
        },
        {
            source: "dynamic-host.ts",
            identity: DYNAMIC_HOST,
            sdk: "@pulumi/pulumi",
            target: join(outDir, "bin", DYNAMIC_HOST.official),
        },
        {
            source: "provider-kubernetes.ts",
            identity: KUBERNETES,
            sdk: "@pulumi/kubernetes",
            target: join(pluginFolder("kubernetes", KUBERNETES.version), KUBERNETES.official),
        },
        {
            source: "provider-random.ts",
            identity: RANDOM,
            sdk: "@pulumi/random",
            target: join(pluginFolder("random", RANDOM.version), RANDOM.official),
        },
    ];
}

async function refuseOtherVersion({ identity, sdk }: Executable): Promise<void> {
    const manifest = createRequire(__filename).resolve(`${sdk}/package.json`);
    const installed = (JSON.parse(await readFile(manifest, "utf8")) as { version: string }).version;
    if (installed === identity.version) return;
    throw new Error(
        `offline/engine/identity.ts: ${identity.official} is ${identity.version} but ${sdk} is ${installed}: ` +
            `the plugins folder is found by version, so set both to the same`,
    );
}

async function bundle({ source, identity, target }: Executable): Promise<void> {
    await mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.new`;
    await build({
        entryPoints: [join(ENGINE_FOLDER, source)],
        outfile: temporary,
        bundle: true,
        platform: "node",
        format: "cjs",
        target: "node20",
        // Names stay, so that a stack trace from the field can be read.
        minifyWhitespace: true,
        minifySyntax: true,
        legalComments: "none",
        logLevel: "warning",
        // The SDK keeps its own google-protobuf: its generated messages and ours must share one instance.
        nodePaths: [dirname(dirname(requireFromSdk.resolve("google-protobuf/package.json")))],
        // grpc-js asks for these only when channelz or reflection is used.
        external: ["@grpc/proto-loader"],
        banner: { js: `#!/usr/bin/env node\n// ${introduce(identity)}` },
    });
    await chmod(temporary, 0o755);
    // A running plugin keeps its old file.
    await rm(target, { force: true });
    await copyFile(temporary, target);
    await rm(temporary);
}

/**
 * Builds every stand-in as one self-contained executable: `<outDir>/bin` goes beside the pulumi CLI, `<outDir>/home`
 * is a PULUMI_HOME.
 */
export async function buildEngine(outDir: string): Promise<void> {
    const list = executables(resolve(outDir));
    for (const executable of list) await refuseOtherVersion(executable);
    for (const executable of list) await bundle(executable);
    const note = list.map(({ identity }) => introduce(identity)).join("\n");
    await writeFile(join(outDir, "home", "STAND-INS"), `${note}\n`);
}

if (require.main === module) {
    const outDir = process.argv[2];
    if (!outDir) {
        console.error("usage: node --import tsx offline/engine/build.ts DIR");
        process.exit(2);
    }
    buildEngine(outDir).catch((error: unknown) => {
        console.error(error instanceof Error ? error.message : error);
        process.exit(1);
    });
}
