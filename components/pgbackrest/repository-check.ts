import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import type { Repository } from "./repository";

export interface RepositoryCheckArgs {
    repository: Repository;
    /** Machines that use the repository. */
    machines: Machine[];
    /** Image that holds pgBackRest, present on them. */
    image: string;
}

/** What uses the repository waits for this: the bucket was written, read and cleaned from the machines. */
export class RepositoryCheck extends StepResource {
    constructor(
        name: string,
        { repository, machines, image }: RepositoryCheckArgs,
        opts: pulumi.CustomResourceOptions,
    ) {
        super(
            "./components/pgbackrest/repository-check.step",
            "RepositoryCheck",
            name,
            { repository, machines: machines.map(access), image },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["repository", "machines"] }),
        );
    }
}
