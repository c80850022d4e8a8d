import type * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import type { BackupArgs } from "../components/pgbackrest/backup-args";
import type { RepositoryArgs } from "../components/pgbackrest/repository-args";

const dockerRepository = z.strictObject({
    provider: z.literal("docker"),
    machine: z.strictObject({ name: z.string(), address: z.string() }),
    bucket: z.string().optional(),
    path: z.string().optional(),
});

const s3Repository = z.strictObject({
    provider: z.literal("s3"),
    endpoint: z.string(),
    bucket: z.string(),
    region: z.string().optional(),
    uriStyle: z.enum(["path", "host"]).optional(),
    caCertificate: z.string().optional(),
    path: z.string().optional(),
    role: z.boolean().optional(),
});

const repository = z.discriminatedUnion("provider", [dockerRepository, s3Repository]);

/** The shape of `backup`; what the values mean is documented in components/pgbackrest/. */
export const backupSchema = z.strictObject({ repository });

/** What lies beside `backup` in the configuration, because it is encrypted there. */
export interface BackupSecrets {
    accessKeyId?: pulumi.Output<string>;
    secretAccessKey?: pulumi.Output<string>;
}

export function backupArguments(backup: z.infer<typeof backupSchema>, secrets: BackupSecrets): BackupArgs {
    return { ...backup, repository: repositoryArguments(backup.repository, secrets) };
}

/** Keys belong to an existing bucket: a store of the stack's own has keys of its own. */
const repositoryArguments = (args: z.infer<typeof repository>, secrets: BackupSecrets): RepositoryArgs =>
    args.provider === "docker" ? args : { ...args, ...secrets };
