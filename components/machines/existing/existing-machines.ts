import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../../dynamic";
import { ports } from "../../naming";
import { access, type Machine } from "../machine";

export interface ExistingHost {
    /** Name of the machine and of its Kubernetes node. */
    name: string;
    /** Address clients and the deploying host use. */
    address: string;
    /** Address on the network the machines share. @default address */
    privateAddress?: string;
    /** SSH login: root, or a user who may use sudo for everything without a password. @default root */
    user?: string;
    /** @default 22 */
    port?: number;
    /** Public host key as `ssh-keyscan -t ed25519 <address>` prints it after the address. */
    hostKey: string;
}

export interface ExistingMachinesArgs {
    machines: ExistingHost[];
    /** Private SSH key for all of them; a secret. */
    privateKey: pulumi.Input<string>;
}

/** Any hosts reachable over SSH, as root or as a user who may become root, with systemd. */
export class ExistingMachines extends pulumi.ComponentResource {
    readonly machines: Machine[];

    constructor(name: string, args: ExistingMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:machines:ExistingMachines", name, {}, opts);
        const privateKey = pulumi.secret(args.privateKey);
        this.machines = args.machines.map((host) => {
            const identity = {
                name: host.name,
                address: host.address,
                privateAddress: host.privateAddress ?? host.address,
                ssh: {
                    user: host.user ?? "root",
                    port: host.port ?? ports.ssh,
                    privateKey,
                    hostKey: pulumi.output(host.hostKey),
                },
            };
            const unused = { instance: pulumi.output(""), ready: [] };
            const checked = new ExistingMachine(`${name}-${host.name}`, { ...identity, ...unused }, { parent: this });
            return { ...identity, instance: checked.instance, ready: [checked] };
        });
        this.registerOutputs({ addresses: args.machines.map(({ address }) => address) });
    }
}

class ExistingMachine extends StepResource {
    declare readonly instance: pulumi.Output<string>;

    constructor(name: string, machine: Machine, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/machines/existing/host.step",
            "ExistingMachine",
            name,
            { access: access(machine), instance: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["access"] }),
        );
    }
}
