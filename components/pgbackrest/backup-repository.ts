import type * as pulumi from "@pulumi/pulumi";
import type { DockerHost } from "../machines/docker/docker-machine";
import type { Machine } from "../machines/machine";
import { ObjectStore } from "../object-store/object-store";
import type { Repository } from "./repository";
import { existingRepository, type NormalisedRepositoryArgs } from "./repository-args";
import { RepositoryCheck } from "./repository-check";

export interface BackupRepository {
    repository: Repository;
    /** The bucket was written from every machine when these are done: nothing that uses it may start before. */
    ready: pulumi.Resource[];
}

export interface BackupRepositoryArgs {
    repository: NormalisedRepositoryArgs;
    /** Machines that use it. */
    machines: Machine[];
    /** Where a store of the stack's own is made, with the docker provider. */
    host?: DockerHost;
    /** Image that holds pgBackRest, and what makes it present on the machines. */
    image: { reference: string; present: pulumi.Resource[] };
}

/** The repository of the backups: an existing bucket, or a store of the stack's own; checked from the machines. */
export function createBackupRepository(
    name: string,
    { repository: args, machines, host, image }: BackupRepositoryArgs,
    parent: pulumi.Resource,
): BackupRepository {
    const { repository, ready } = createStore(name, args, host, parent);
    const check = new RepositoryCheck(
        `${name}-repository-check`,
        { repository, machines, image: image.reference },
        { parent, dependsOn: [...ready, ...image.present] },
    );
    return { repository, ready: [check] };
}

function createStore(
    name: string,
    args: NormalisedRepositoryArgs,
    host: DockerHost | undefined,
    parent: pulumi.Resource,
): BackupRepository {
    if (args.provider === "s3") {
        return { repository: existingRepository(args), ready: [] };
    }
    if (host === undefined) {
        throw new Error("backup.repository: docker needs machines of the docker provider");
    }
    return new ObjectStore(`${name}-store`, { host, ...args }, { parent });
}
