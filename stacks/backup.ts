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

export const s3Repository = z.strictObject({
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
export const backupSchema = z.strictObject({
    repository,
    schedule: z
        .strictObject({
            full: z.string().optional(),
            differential: z.string().optional(),
            incremental: z.string().optional(),
            restoreTest: z.string().optional(),
        })
        .optional(),
    retention: z.strictObject({ full: z.number().optional(), differential: z.number().optional() }).optional(),
    processes: z.number().optional(),
    scratch: z.string().optional(),
    resources: z.strictObject({ cpu: z.string(), memory: z.string() }).optional(),
});

/** What lies beside `backup` in the configuration, because it is encrypted there. */
export interface RepositorySecrets {
    accessKeyId?: pulumi.Output<string>;
    secretAccessKey?: pulumi.Output<string>;
}

/** Of a repository that holds a stack's backups, its own or another's. */
export interface BackupSecrets extends RepositorySecrets {
    passphrase?: pulumi.Output<string>;
}

/** Key of the stack's configuration for the passphrase of a repository that the state does not know. */
export const passphraseKey = "backupPassphrase";

export function backupArguments(
    backup: z.infer<typeof backupSchema>,
    { passphrase, ...keys }: BackupSecrets,
): BackupArgs {
    const args = { ...backup, repository: repositoryArguments(backup.repository, keys) };
    return passphrase ? { ...args, passphrase } : args;
}

/** Keys belong to an existing bucket: a store of the stack's own has keys of its own. */
const repositoryArguments = (args: z.infer<typeof repository>, secrets: RepositorySecrets): RepositoryArgs =>
    args.provider === "docker" ? args : { ...args, ...secrets };
