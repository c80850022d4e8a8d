import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { confirmationToken, describeTarget, type RestoreArgs } from "../components/pgbackrest/restore";
import { sourceSecretKeys } from "../components/pgbackrest/repository-validation";
import type { Problem } from "../components/validation";
import { s3Repository, type BackupSecrets } from "./backup";

/** The CLI reads a moment that stands without quotes as a date, and hands it over in the form of its own language. */
export const asIso8601 = (time: string): string =>
    time.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d\d)(\d\d)(?: \S+)?$/, "$1T$2$3:$4");

const target = z.union([
    z.strictObject({ time: z.string().transform(asIso8601) }),
    z.strictObject({ lsn: z.string() }),
    z.strictObject({ xid: z.string() }),
    z.strictObject({ name: z.string() }),
    z.strictObject({ latest: z.literal(true) }),
]);

/** The shape of `restore`; what the values mean is documented in components/pgbackrest/restore.ts. */
export const restoreSchema = z.strictObject({
    target,
    from: z.strictObject({ repository: s3Repository.required({ path: true }), stanza: z.string() }).optional(),
    generation: z.number(),
    backup: z.string().optional(),
    timeline: z.number().optional(),
    confirm: z.string().optional(),
});

/** Keys of the stack's configuration for `restore.from`. */
export const restoreSecretKeys = { ...sourceSecretKeys, passphrase: "restorePassphrase" } as const;

export function restoreArguments(
    { from, ...restore }: z.infer<typeof restoreSchema>,
    { passphrase, ...keys }: BackupSecrets,
    problems: Problem[],
): RestoreArgs {
    if (from && !passphrase) {
        problems.push({
            path: restoreSecretKeys.passphrase,
            message: `is missing; set it to the other stack's output backup.passphrase with \`pulumi config set --secret ${restoreSecretKeys.passphrase}\``,
        });
    }
    const source = from && {
        ...from,
        repository: { ...from.repository, ...keys },
        passphrase: passphrase ?? pulumi.secret(""),
    };
    return { ...restore, ...(source && { from: source }) };
}

/**
 * A restore replaces all data: a preview says so and prints the token, an update without it is refused. The token of a
 * restore that was carried out stays where it is.
 */
export function confirm(cluster: string, restore: RestoreArgs | undefined): Problem[] {
    const token = restore && confirmationToken(cluster, restore);
    if (!restore || restore.confirm === token) {
        return [];
    }
    const message =
        `restore ${restore.generation} of ${cluster} to ${describeTarget(restore.target)}` +
        `${restore.from ? ` from stanza ${restore.from.stanza} of another repository` : ""} replaces all data: what was ` +
        `written after that is left behind. To confirm, set restore.confirm to ${token}`;
    if (pulumi.runtime.isDryRun()) {
        void pulumi.log.warn(message);
        return [];
    }
    const wrong = restore.confirm === undefined ? "is missing" : `"${restore.confirm}" is the token of another restore`;
    return [{ path: "restore.confirm", message: `${wrong}: ${message}` }];
}
