import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import type { RestoreRequest } from "./restore";

export interface RestorePreparationArgs {
    cluster: string;
    namespace: pulumi.Input<string>;
    instances: string[];
    request: RestoreRequest;
    /** What the instances will read, by name. */
    files: Record<string, pulumi.Input<string>>;
    /** Machines with the image on them. */
    machines: Machine[];
    servers: Machine[];
    /** Image that holds pgBackRest. */
    image: string;
}

/** What tells the instances of a restore waits for this: the restore can begin. */
export class RestorePreparation extends StepResource {
    constructor(name: string, args: RestorePreparationArgs, opts: pulumi.CustomResourceOptions) {
        const { machines, servers, ...rest } = args;
        super(
            "./components/pgbackrest/restore-preparation.step",
            "RestorePreparation",
            name,
            { ...rest, machines: machines.map(access), servers: servers.map(access) },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["files", "machines", "servers"] }),
        );
    }
}
