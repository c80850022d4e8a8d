import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { contentDigest } from "../../content-digest";
import { StepResource } from "../../dynamic";
import { dockerName, dockerNetworkName, ports } from "../../naming";
import { versions } from "../../versions";
import { KeyPair } from "../key-pair";
import type { Machine } from "../machine";
import type { MachineImageInputs } from "./image.step";
import type { DockerMachineInputs } from "./machine.step";
import type { NetworkInputs } from "./network.step";
import type { PowerInputs } from "./power.step";

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

    constructor(name: string, args: DockerMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:machines:DockerMachines", name, {}, opts);
        const child = { parent: this };
        const login = new KeyPair(`${name}-login`, { comment: `postgres-ha-${args.stack}` }, child);
        const network = new DockerNetwork(`${name}-network`, networkInputs(args), child);
        const reference = `postgres-ha/machine:${contentDigest(imageContext, versions.baseImage)}`;
        const image = new MachineImage(`${name}-image`, { reference, context: imageContext }, child);

        this.machines = args.machines.map((machine) => {
            const hostKey = new KeyPair(`${name}-${machine.name}-host-key`, { comment: machine.name }, child);
            const ssh = {
                user: "root",
                port: ports.ssh,
                privateKey: login.privateKey,
                hostKey: hostKey.publicKey,
            };
            const container = dockerName(args.stack, machine.name);
            const made = new DockerMachine(
                `${name}-${machine.name}`,
                {
                    machine: machine.name,
                    container,
                    stack: args.stack,
                    network: dockerNetworkName(args.stack),
                    address: machine.address,
                    image: reference,
                    authorizedKey: login.publicKey,
                    hostPrivateKey: hostKey.privateKey,
                    ssh,
                },
                { ...child, dependsOn: [network, image] },
            );
            const identity = { name: machine.name, address: machine.address, privateAddress: machine.address };
            const power = new MachinePower(
                `${name}-${machine.name}-power`,
                { container, access: { ...identity, ssh } },
                { ...child, dependsOn: [made] },
            );
            return { ...identity, ssh, instance: made.instance, ready: [power] };
        });
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

class DockerMachine extends StepResource {
    declare readonly instance: pulumi.Output<string>;

    constructor(name: string, args: Inputs<DockerMachineInputs>, opts: pulumi.CustomResourceOptions) {
        const secret = pulumi.mergeOptions(opts, { additionalSecretOutputs: ["hostPrivateKey", "ssh"] });
        super(
            "./components/machines/docker/machine.step",
            "DockerMachine",
            name,
            { ...args, instance: undefined },
            secret,
        );
    }
}

class MachinePower extends StepResource {
    constructor(name: string, args: Inputs<PowerInputs>, opts: pulumi.CustomResourceOptions) {
        super("./components/machines/docker/power.step", "MachinePower", name, { ...args }, opts);
    }
}

/** What a step takes, each field possibly known only later. */
type Inputs<Step> = { [Field in keyof Step]: pulumi.Input<Step[Field]> | Inputs<Step[Field]> };
