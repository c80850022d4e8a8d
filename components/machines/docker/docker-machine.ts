import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../../dynamic";
import { dockerName, dockerNetworkName, ports } from "../../naming";
import { KeyPair } from "../key-pair";
import type { Machine } from "../machine";
import type { DockerMachineInputs } from "./machine.step";
import type { PowerInputs } from "./power.step";

/** What the docker machines of a stack share. */
export interface DockerHost {
    stack: string;
    /** Reference of the image they boot from. */
    image: string;
    /** Key pair of the one login. */
    login: KeyPair;
    /** Network and image, which must be there first. */
    ready: pulumi.Resource[];
}

export interface DockerMachineArgs {
    name: string;
    address: string;
    /** Volumes by name, with their paths, of a machine that is no node (machine.step.ts). */
    mounts?: Record<string, string>;
    /** What else must be there first. */
    after?: pulumi.Resource[];
}

/** One machine as a container: its host key, the container, its power switch. */
export function createDockerMachine(
    name: string,
    { name: machine, address, mounts, after }: DockerMachineArgs,
    host: DockerHost,
    opts: pulumi.CustomResourceOptions,
): Machine {
    const hostKey = new KeyPair(`${name}-host-key`, { comment: machine }, opts);
    const ssh = {
        user: "root",
        port: ports.ssh,
        privateKey: host.login.privateKey,
        hostKey: hostKey.publicKey,
    };
    const container = dockerName(host.stack, machine);
    const made = new DockerMachine(
        name,
        {
            machine,
            container,
            stack: host.stack,
            network: dockerNetworkName(host.stack),
            address,
            image: host.image,
            authorizedKey: host.login.publicKey,
            hostPrivateKey: hostKey.privateKey,
            ssh,
            ...(mounts === undefined ? {} : { mounts }),
        },
        { ...opts, dependsOn: [...host.ready, ...(after ?? [])] },
    );
    const identity = { name: machine, address, privateAddress: address };
    const power = new MachinePower(
        `${name}-power`,
        { container, access: { ...identity, ssh } },
        { ...opts, dependsOn: [made] },
    );
    return { ...identity, ssh, instance: made.instance, ready: [power] };
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
