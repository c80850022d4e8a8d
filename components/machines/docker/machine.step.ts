import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { docker } from "../../docker-cli";
import { dockerLabels } from "../../naming";
import { step } from "../../progress";
import { inputDiff, type StepProvider } from "../../step";
import type { SshAccess } from "../machine";
import { waitForBoot } from "../ssh";

export interface DockerMachineInputs {
    /** Name in the configuration. */
    machine: string;
    /** Name of the container; its volumes carry it as a prefix. */
    container: string;
    stack: string;
    network: string;
    address: string;
    image: string;
    authorizedKey: string;
    hostPrivateKey: string;
    ssh: SshAccess;
    /**
     * Volumes of other resources by name, with their paths, for a machine that is no node: it has none of its own,
     * and what is on these stays when the machine goes.
     */
    mounts?: Record<string, string>;
}

export interface DockerMachineOutputs extends DockerMachineInputs {
    /** Id of the container: a new one means new, empty disks. */
    instance: string;
}

/** What of a node must survive a power cut lies on volumes, never in the container's overlay. */
const nodeVolumes = { rancher: "/var/lib/rancher", kubelet: "/var/lib/kubelet", log: "/var/log" };

const replaceOn = ["container", "stack", "network", "address", "image", "hostPrivateKey", "mounts"];

/** A machine as a container that boots systemd and is reached over SSH, exactly as a VM is. */
export const provider: StepProvider<DockerMachineInputs, DockerMachineOutputs> = {
    async create(inputs) {
        const instance =
            (await findOwn(inputs)) ?? (await step(inputs.machine, "creating", () => createContainer(inputs)));
        await docker(["start", inputs.container]);
        await waitForSsh(inputs);
        return { id: instance, outs: { ...inputs, instance } };
    },
    async read(_id, machine) {
        const instance = await containerId(machine.container);
        return instance === machine.instance ? machine : undefined;
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, replaceOn);
        const gone = (await containerId(olds.container)) !== olds.instance;
        return gone ? { changed: true, replaces: ["container"] } : diff;
    },
    async update(_id, olds, news) {
        // Only SSH access details can change without a new machine; they take effect where they are used.
        await waitForSsh(news);
        return { ...news, instance: olds.instance };
    },
    async delete(_id, machine) {
        await step(
            machine.machine,
            machine.mounts === undefined ? "deleting with its volumes" : "deleting",
            async () => {
                await docker(["rm", "--force", machine.container], { allowFailure: true });
                await removeVolumes(machine);
            },
        );
    },
};

/** The machine's own volumes by name, with their paths. */
const ownVolumes = ({ container, mounts }: DockerMachineInputs): Record<string, string> =>
    mounts === undefined
        ? Object.fromEntries(Object.entries(nodeVolumes).map(([volume, path]) => [`${container}-${volume}`, path]))
        : {};

/** Undefined when there is no such container; an engine that does not answer is no proof of that, and throws. */
async function containerId(container: string): Promise<string | undefined> {
    const list = ["container", "ls", "--all", "--no-trunc", "--filter", `name=^${container}$`, "--format", "{{.ID}}"];
    const id = await docker(list);
    return id === "" ? undefined : id;
}

/**
 * The container of an interrupted run, when it is this machine's and made from the same image, address and login key.
 * Another checkout's stack of this name has keys of its own: its machines are refused before anything of them changes.
 */
async function findOwn(machine: DockerMachineInputs): Promise<string | undefined> {
    const id = await containerId(machine.container);
    if (id === undefined) {
        return undefined;
    }
    // The image comes first: a first line without text would be trimmed away.
    const format = [
        "{{.Config.Image}}",
        `{{index .Config.Labels "${dockerLabels.stack}"}}`,
        "{{range .NetworkSettings.Networks}}{{.IPAMConfig.IPv4Address}}{{end}}",
        "{{range .Config.Env}}{{println .}}{{end}}",
    ];
    const inspect = ["container", "inspect", "--format", format.join("{{println}}"), machine.container];
    const [image, stack, address, ...environment] = (await docker(inspect)).split("\n");
    const problems = [
        ...(stack === machine.stack ? [] : [`is labelled as stack "${stack}"`]),
        ...(image === machine.image ? [] : [`has image ${image}`]),
        ...(address === machine.address ? [] : [`has address ${address}`]),
        ...(environment.includes(loginKey(machine)) ? [] : ["lets another SSH key in"]),
    ];
    if (problems.length > 0) {
        throw new Error(
            `${machine.machine}: a container ${machine.container} exists that this stack did not make: it ${problems.join(", ")}. ` +
                "Nothing of it was changed. When it belongs to a stack of another checkout, take that one down there; " +
                `else remove it with \`docker rm -f -v ${machine.container}\`, or all machines of this name with \`make down\``,
        );
    }
    await placeHostKey(machine);
    return id;
}

const loginKey = (machine: DockerMachineInputs): string => `SSH_AUTHORIZED_KEY=${machine.authorizedKey}`;

async function createContainer(machine: DockerMachineInputs): Promise<string> {
    await removeDisksOfLostMachine(machine);
    for (const volume of Object.keys(ownVolumes(machine))) {
        await docker(["volume", "create", ...labelArgs(machine), volume]);
    }
    const mounts = Object.entries(machine.mounts ?? ownVolumes(machine)).flatMap(([volume, path]) => [
        "-v",
        `${volume}:${path}`,
    ]);
    const id = await docker([
        ...["create", "--name", machine.container, "--hostname", machine.machine, ...labelArgs(machine)],
        ...["--network", machine.network, "--ip", machine.address, "--restart", "no"],
        // systemd, the kubelet and containerd need what a VM has; SYS_RESOURCE is left out because hosts that are
        // containers themselves cannot give it.
        ...["--cgroupns=private", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"],
        ...["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
        ...["--security-opt", "systempaths=unconfined", "--device", "/dev/kmsg", "--device-cgroup-rule", "a *:* rwm"],
        ...["--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"],
        ...["--env", "container=docker", "--env", loginKey(machine)],
        ...[...mounts, machine.image],
    ]);
    await placeHostKey(machine);
    return id;
}

const labelArgs = (machine: DockerMachineInputs): string[] => [
    ...["--label", `${dockerLabels.stack}=${machine.stack}`],
    ...["--label", `${machine.mounts === undefined ? dockerLabels.machine : dockerLabels.store}=${machine.machine}`],
];

/** The private host key travels as a file, never in argv or the environment. */
async function placeHostKey(machine: DockerMachineInputs): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), "postgres-ha-host-key-"));
    try {
        await writeFile(join(folder, "ssh_host_ed25519_key"), machine.hostPrivateKey, { mode: 0o600 });
        await docker(["cp", `${folder}/.`, `${machine.container}:/etc/ssh/`]);
    } finally {
        await rm(folder, { recursive: true });
    }
}

/**
 * Volumes whose container is gone: the disks of a lost machine. Its replacement starts with empty ones, as a new
 * VM would, while other machines of the stack hold the data. With no other machine left that holds any they may be all
 * there is, so they are not touched.
 */
async function removeDisksOfLostMachine(machine: DockerMachineInputs): Promise<void> {
    if (machine.mounts !== undefined) {
        return;
    }
    const filter = ["--filter", `label=${dockerLabels.machine}=${machine.machine}`];
    const ofStack = ["--filter", `label=${dockerLabels.stack}=${machine.stack}`];
    const left = await docker(["volume", "ls", "--quiet", ...filter, ...ofStack]);
    if (left === "" || (await isEmpty(machine, machine.container))) {
        return;
    }
    const nodes = ["--filter", `label=${dockerLabels.machine}`];
    const others = await docker(["container", "ls", "--all", "--format", "{{.Names}}", ...ofStack, ...nodes]);
    const held = others
        .split("\n")
        .filter((name) => name !== "")
        .map((name) => isEmpty(machine, name));
    if ((await Promise.all(held)).every((empty) => empty)) {
        throw new Error(
            `${machine.machine}: volumes of an earlier cluster exist (${left.split("\n").join(", ")}) and no machine of the ` +
                "stack is left that holds anything; nothing was touched. Remove them with `make down`, or save them first",
        );
    }
    await removeVolumes(machine);
}

/** Whether Kubernetes has never stored anything on a machine's disk. */
async function isEmpty({ image }: DockerMachineInputs, container: string): Promise<boolean> {
    const mount = `${container}-rancher:/disk`;
    const run = ["run", "--rm", "--network", "none", "--entrypoint", "ls", "-v", mount, image, "-A", "/disk"];
    return (await docker(run)) === "";
}

async function removeVolumes(machine: DockerMachineInputs): Promise<void> {
    const names = Object.keys(ownVolumes(machine));
    if (names.length > 0) {
        await docker(["volume", "rm", "--force", ...names]);
    }
}

async function waitForSsh(machine: DockerMachineInputs): Promise<void> {
    const { machine: name, address, ssh } = machine;
    await step(name, "waiting for SSH", () => waitForBoot({ name, address, privateAddress: address, ssh }));
}
