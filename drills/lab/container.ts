import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { contentDigest } from "../../components/content-digest";
import { docker } from "../../components/docker-cli";
import { ensureBuilt } from "../../components/images/build";
import { image } from "../../components/images/image";
import { checkout } from "../../offline/checkout";

const patchesFolder = join(checkout, "components/patroni/image/patches");

/** The stack's Patroni image with its etcd and, beside it, the unpatched release; built once per content. */
export async function ensureLabImage(): Promise<string> {
    const [patroni, etcd] = [image("patroni"), image("etcd")];
    const folder = join(checkout, "drills/lab/image");
    const reference = `postgres-ha/lab:${contentDigest(folder, patroni.reference, etcd.reference)}`;
    if ((await docker(["image", "ls", "--quiet", reference])) !== "") {
        return reference;
    }
    await ensureBuilt(patroni);
    await ensureBuilt(etcd);
    const context = await mkdtemp(join(tmpdir(), "postgres-ha-lab-"));
    try {
        await cp(folder, context, { recursive: true });
        await cp(patchesFolder, join(context, basename(patchesFolder)), { recursive: true });
        const bases = ["--build-arg", `PATRONI=${patroni.reference}`, "--build-arg", `ETCD=${etcd.reference}`];
        await docker(["build", "--network", "none", ...bases, "--tag", reference, context]);
        return reference;
    } finally {
        await rm(context, { recursive: true, force: true });
    }
}

/** One throwaway container without a network, its data in memory. */
export class LabContainer {
    private constructor(private readonly id: string) {}

    static async start(): Promise<LabContainer> {
        const data = "/lab/data:uid=999,gid=999,mode=0700,size=6g,exec";
        // Volumes of their own, so that one can be full.
        const volumes = [1, 2, 3].flatMap((number) => [
            "--tmpfs",
            `/lab/data/patroni-${number}:uid=999,gid=999,mode=0700,size=2g`,
        ]);
        const id = await docker([
            ...["run", "--detach", "--rm", "--init", "--network", "none", "--shm-size", "512m"],
            ...["--tmpfs", data, ...volumes, "--label", "postgres-ha-lab=1", await ensureLabImage()],
        ]);
        return new LabContainer(id);
    }

    run(script: string, options: { stdin?: string; environment?: Record<string, string> } = {}): Promise<string> {
        const environment = Object.entries(options.environment ?? {}).flatMap(([key, value]) => [
            "--env",
            `${key}=${value}`,
        ]);
        const stdin = options.stdin === undefined ? undefined : Buffer.from(options.stdin);
        return docker(["exec", "--interactive", ...environment, this.id, "bash", "-c", script], { stdin });
    }

    /** Starts in the background; ends with the container. */
    async start(script: string): Promise<void> {
        await docker(["exec", "--detach", this.id, "bash", "-c", script]);
    }

    async remove(): Promise<void> {
        await docker(["rm", "--force", this.id], { allowFailure: true });
    }
}
