import { chmod, cp, copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { artifact, type Architecture } from "../artifacts";
import { isStray } from "../content-digest";
import { docker } from "../docker-cli";
import { step } from "../progress";
import type { Image } from "./image";

const running = new Map<string, Promise<void>>();

/** Builds an image unless the engine has it; two callers at once wait for the same build. */
export function ensureBuilt(image: Image): Promise<void> {
    const build = running.get(image.reference) ?? buildIfMissing(image).finally(() => running.delete(image.reference));
    running.set(image.reference, build);
    return build;
}

/** The engine keeps what a Dockerfile's step has made as long as nothing before it changes. */
const packagesOf = ({ packagesAsOf }: Image): string[] =>
    packagesAsOf === undefined ? [] : ["--build-arg", `PACKAGES_AS_OF=${packagesAsOf}`];

async function buildIfMissing(image: Image): Promise<void> {
    // `image ls` finds nothing by a name that begins with docker.io.
    if ((await docker(["image", "inspect", "--format", "{{.Id}}", image.reference], { allowFailure: true })) !== "") {
        return;
    }
    const architecture = (await docker(["version", "--format", "{{.Server.Arch}}"])) as Architecture;
    const context = await mkdtemp(join(tmpdir(), `postgres-ha-${basename(image.context)}-`));
    try {
        const filter = (path: string) => path === image.context || !isStray(basename(path));
        await cp(image.context, context, { recursive: true, filter });
        for (const name of image.artifacts) {
            await copyFile((await artifact(name, architecture)).path, join(context, name));
            await chmod(join(context, name), 0o755);
        }
        await step("images", `building ${image.reference}`, () =>
            docker(["build", "--network", "host", ...packagesOf(image), "--tag", image.reference, context]),
        );
    } finally {
        await rm(context, { recursive: true, force: true });
    }
}
