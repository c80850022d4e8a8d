import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import type { BackupStatus } from "./backup-state.step";

export interface BackupStateArgs {
    cluster: string;
    namespace: pulumi.Input<string>;
    /** The repository, for people: a change is looked at anew. */
    repository: string;
    /** Changes when the runner's template does. */
    runner: pulumi.Input<string>;
    servers: Machine[];
}

/** What the runner said when the stack was last updated or refreshed. */
export class BackupState extends StepResource {
    declare readonly status: pulumi.Output<BackupStatus>;

    constructor(name: string, args: BackupStateArgs, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/pgbackrest/backup-state.step",
            "BackupState",
            name,
            { ...args, servers: args.servers.map(access), status: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["servers"] }),
        );
    }
}
