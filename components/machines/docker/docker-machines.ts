import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { contentDigest } from "../../content-digest";
import { StepResource } from "../../dynamic";
import { dockerNetworkName } from "../../naming";
import { versions } from "../../versions";
import { KeyPair } from "../key-pair";
import type { Machine } from "../machine";
import { createDockerMachine, type DockerHost } from "./docker-machine";
import type { MachineImageInputs } from "./image.step";
import type { NetworkInputs } from "./network.step";

export interface DockerMachinesArgs {
    /** Name of the stack: part of every name and the value of the stack label. */
    stack: string;
    /** Subnet of the machines' own network, such as `10.210.0.0/24`. A change makes every machine anew. */
    subnet: string;
    /** The machines, by name; a name is never reused for another address while the old one exists. */
    machines: { name: string; address: string }[];
}

/** Dev machines: containers with systemd and sshd on an internal network of their own. */
export class DockerMachines extends pulumi.ComponentResource {
    readonly machines: Machine[];
    /** For a further machine on the same network that is no node. */
    readonly host: DockerHost;

    constructor(name: string, args: DockerMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:machines:DockerMachines", name, {}, opts);
        const child = { parent: this };
        const login = new KeyPair(`${name}-login`, { comment: `postgres-ha-${args.stack}` }, child);
        const network = new DockerNetwork(`${name}-network`, networkInputs(args), child);
        const reference = `postgres-ha/machine:${contentDigest(imageContext, versions.baseImage)}`;
        const image = new MachineImage(`${name}-image`, { reference, context: imageContext }, child);

        this.host = { stack: args.stack, image: reference, login, ready: [network, image] };
        this.machines = args.machines.map((machine) =>
            createDockerMachine(`${name}-${machine.name}`, machine, this.host, child),
        );
        this.registerOutputs({ addresses: args.machines.map(({ address }) => address) });
    }
}

const imageContext = "components/machines/docker/image";

function networkInputs({ stack, subnet }: DockerMachinesArgs): NetworkInputs {
    // A bridge name has at most 15 characters: the digest keeps stacks with a long common beginning apart.
    const bridge = `pgha-${createHash("sha256").update(stack).digest("hex").slice(0, 10)}`;
    return { name: dockerNetworkName(stack), stack, subnet, bridge };
}

class DockerNetwork extends StepResource {
    constructor(name: string, args: NetworkInputs, opts: pulumi.CustomResourceOptions) {
        super("./components/machines/docker/network.step", "DockerNetwork", name, { ...args }, opts);
    }
}

class MachineImage extends StepResource {
    constructor(name: string, args: MachineImageInputs, opts: pulumi.CustomResourceOptions) {
        super("./components/machines/docker/image.step", "MachineImage", name, { ...args }, opts);
    }
}
