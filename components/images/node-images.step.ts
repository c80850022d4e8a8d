import { spawn } from "node:child_process";
import { docker } from "../docker-cli";
import { machineArchitecture } from "../machines/architecture";
import { isSameButForKey, type MachineAccess } from "../machines/machine";
import { RemoteError, Unreachable, withSsh, type SshConnection } from "../machines/ssh";
import { step } from "../progress";
import { changedInputs, inputDiff, type StepProvider } from "../step";
import { ensureBuilt } from "./build";
import { repository, type Image } from "./image";

export interface NodeImagesInputs {
    node: string;
    access: MachineAccess;
    instance: string;
    images: Image[];
}

/** The stack's images in the container runtime of a node, imported over SSH: no registry is needed. */
export const provider: StepProvider<NodeImagesInputs> = {
    async create(inputs) {
        await withSsh(inputs.access, (ssh) => importMissing(ssh, inputs), 30);
        return { id: inputs.node, outs: inputs };
    },
    async read(_id, held) {
        const missing = await lookForMissing(held);
        return { ...held, images: held.images.filter((image) => !missing.includes(image)) };
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, ["node", "instance"]);
        return diff.changed ? diff : { changed: (await lookForMissing(olds)).length > 0, replaces: [] };
    },
    async update(_id, olds, news) {
        const isOnlyTheKey =
            isSameButForKey(olds.access, news.access) &&
            changedInputs(olds, { ...news, access: olds.access }).length === 0;
        const bringUpToDate = async (ssh: SshConnection): Promise<void> => {
            await importMissing(ssh, news);
            // Pods of the template before may still start.
            await removeOld(ssh, [...olds.images, ...news.images]);
        };
        await withSsh(news.access, bringUpToDate, 30).catch((error: unknown) => {
            if (!isOnlyTheKey || !(error instanceof Unreachable)) throw error;
            console.log(`${news.node}: its images were not looked at: ${error.message}`);
        });
        return news;
    },
};

/** None for a machine that cannot be asked: whether it is gone is for the machine itself to say. */
async function lookForMissing({ node, access, images }: NodeImagesInputs): Promise<Image[]> {
    try {
        return await withSsh(access, (ssh) => missingImages(ssh, images), 5);
    } catch (error) {
        console.log(`${node}: its images cannot be listed: ${(error as Error).message}`);
        return [];
    }
}

async function missingImages(ssh: SshConnection, images: Image[]): Promise<Image[]> {
    const { stdout } = await ssh.run("k3s ctr --namespace k8s.io images list --quiet");
    const present = new Set(stdout.split("\n"));
    return images.filter(({ reference }) => !present.has(reference));
}

/**
 * The stack's images of earlier updates, unless a container has one: the kubelet is told to leave images alone, as nothing would bring
 * one back, and they lie on the disk of the databases.
 */
async function removeOld(ssh: SshConnection, kept: Image[]): Promise<void> {
    const ctr = "k3s ctr --namespace k8s.io";
    // The runtime has a second name for each image: those of one digest go together.
    const old = `
        $1 == "kept" { kept[$2] }
        $1 == "image" { digest[$2] = $3 }
        END {
            for (name in digest) if (name in kept) needed[digest[name]]
            for (name in digest) if (index(name, "${repository}") == 1 && !(digest[name] in needed)) gone[digest[name]]
            for (name in digest) if (digest[name] in gone) print name
        }`;
    const { exitCode, stderr } = await ssh.run(
        `used=$(${ctr} containers list) && held=$(${ctr} images list) || exit 1
        { printf 'kept %s\\n' ${kept.map(({ reference }) => reference).join(" ")}
        echo "$used" | awk 'NR > 1 { print "kept", $2 }'
        echo "$held" | awk 'NR > 1 { print "image", $1, $3 }'; } | awk '${old}' | xargs -r ${ctr} images rm`,
        { allowFailure: true },
    );
    if (exitCode !== 0) console.log(`${ssh.machine.name}: old images were not removed: ${stderr.trim()}`);
}

/** Images are of the engine that builds them. On another processor every pod would only say "exec format error". */
async function refuseOtherArchitecture(ssh: SshConnection, images: Image[]): Promise<void> {
    const machine = await machineArchitecture(ssh);
    for (const { reference } of images) {
        const built = await docker(["image", "inspect", "--format", "{{.Architecture}}", reference]);
        if (built !== machine) {
            throw new RemoteError(
                ssh.machine,
                "images",
                `${reference} was built for ${built} by this host's Docker engine, and the machine is ${machine}. ` +
                    "Run the update where the engine is of the machines' architecture, or let DOCKER_HOST name such an engine",
            );
        }
    }
}

async function importMissing(ssh: SshConnection, { node, images }: NodeImagesInputs): Promise<void> {
    const missing = await missingImages(ssh, images);
    if (missing.length === 0) {
        return;
    }
    for (const image of missing) {
        await ensureBuilt(image);
    }
    await refuseOtherArchitecture(ssh, missing);
    const references = missing.map(({ reference }) => reference);
    await step(node, `importing ${missing.length} images`, async () => {
        const save = spawn("docker", ["save", ...references], { stdio: ["ignore", "pipe", "pipe"] });
        let complaint = "";
        save.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
        const saved = new Promise<void>((resolve, reject) => {
            save.on("error", reject);
            save.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`docker save: ${complaint}`))));
        });
        const imported = ssh.run("k3s ctr --namespace k8s.io images import -", {
            stdin: save.stdout,
            timeoutSeconds: 600,
        });
        await Promise.all([saved, imported]);
    });
}
