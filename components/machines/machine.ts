import type * as pulumi from "@pulumi/pulumi";
import { isDeepStrictEqual } from "node:util";

/** How a machine is reached. The host key is pinned: a connection to anything else is refused. */
export interface SshAccess {
    user: string;
    port: number;
    /** Private key in OpenSSH or PEM form; a secret. */
    privateKey: string;
    /** Public host key as in known_hosts: `ssh-ed25519 AAAA...`. */
    hostKey: string;
}

/** One machine as the steps see it: everything after machines/ knows only this. */
export interface MachineAccess {
    /** Name in the configuration, and of the Kubernetes node. */
    name: string;
    /** Address clients and the deploying host use. */
    address: string;
    /** Address of the machine on the network it shares with the others. */
    privateAddress: string;
    ssh: SshAccess;
}

/** Whether two are the same machine, reached in the same way: by whose key is not the machine's. */
export const isSameButForKey = (one: MachineAccess, other: MachineAccess): boolean =>
    isDeepStrictEqual(
        { ...one, ssh: { ...one.ssh, privateKey: "" } },
        { ...other, ssh: { ...other.ssh, privateKey: "" } },
    );

/** A machine as the components see it. */
export interface Machine {
    readonly name: string;
    readonly address: string;
    readonly privateAddress: string;
    readonly ssh: {
        readonly user: string;
        readonly port: number;
        readonly privateKey: pulumi.Output<string>;
        readonly hostKey: pulumi.Output<string>;
    };
    /** Changes when the machine was made anew: what lived on its disks is gone then. */
    readonly instance: pulumi.Output<string>;
    /** What must be done before the machine can be used. */
    readonly ready: pulumi.Resource[];
}

/** The machine as one input of a step. */
export function access(machine: Machine): pulumi.Input<MachineAccess> {
    const { name, address, privateAddress, ssh } = machine;
    return {
        name,
        address,
        privateAddress,
        ssh: { user: ssh.user, port: ssh.port, privateKey: ssh.privateKey, hostKey: ssh.hostKey },
    } as unknown as pulumi.Input<MachineAccess>;
}
