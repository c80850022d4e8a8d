import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { chooseApiEndpoint } from "../components/k3s/api-endpoint";
import { ports } from "../components/naming";
import { secretKeys as repositoryKeys } from "../components/pgbackrest/repository-validation";
import type { MachinesArgs } from "../components/machines/machines-args";
import { privateKeyProblem } from "../components/machines/private-key";
import { normalise } from "../components/normalise";
import { defaults, type PostgresHAArgs } from "../components/postgres-ha-args";
import { ValidationError, type Problem } from "../components/validation";
import { backupArguments, backupSchema, passphraseKey, type BackupSecrets } from "./backup";
import { profiles } from "./profiles";
import { confirm, restoreArguments, restoreSchema, restoreSecretKeys } from "./restore";

const resources = z.strictObject({ cpu: z.string(), memory: z.string() });

const dockerMachines = z.strictObject({
    provider: z.literal("docker"),
    subnet: z.string(),
    machines: z.array(z.strictObject({ name: z.string(), address: z.string() })).min(1),
});

const existingMachines = z.strictObject({
    provider: z.literal("existing"),
    machines: z
        .array(
            z.strictObject({
                name: z.string(),
                address: z.string(),
                privateAddress: z.string().optional(),
                user: z.string().optional(),
                port: z.number().int().min(1).max(65535).optional(),
                hostKey: z.string(),
            }),
        )
        .min(1),
    /** File with the private key, for those who keep it outside the configuration. */
    privateKeyFile: z.string().optional(),
});

/** The shape of a stack's configuration; what the values mean is documented in components/postgres-ha-args.ts. */
const schema = z.strictObject({
    profile: z.enum(["dev", "staging", "production"]).optional(),
    cluster: z.string().optional(),
    machines: z.discriminatedUnion("provider", [dockerMachines, existingMachines]),
    kubernetes: z
        .strictObject({
            servers: z.number().optional(),
            podCidr: z.string().optional(),
            serviceCidr: z.string().optional(),
            interface: z.string().optional(),
        })
        .optional(),
    etcd: z
        .strictObject({
            members: z.number().optional(),
            storage: z.string().optional(),
            resources: resources.optional(),
        })
        .optional(),
    postgres: z
        .strictObject({
            instances: z.number().optional(),
            synchronousStandbyCount: z.number().optional(),
            storage: z.string().optional(),
            sharedBuffers: z.string().optional(),
            maxConnections: z.number().optional(),
            parameters: z.record(z.string(), z.string()).optional(),
            resources: resources.optional(),
        })
        .optional(),
    haproxy: z
        .strictObject({
            maximumReplicaLag: z.string().optional(),
            allowedClients: z.array(z.string()).optional(),
            resources: resources.optional(),
        })
        .optional(),
    protectData: z.boolean().optional(),
    packagesAsOf: z.string().optional(),
    database: z
        .strictObject({
            name: z.string().optional(),
            owner: z.string().optional(),
            passwordGeneration: z.number().optional(),
        })
        .optional(),
    recovery: z
        .strictObject({
            objective: z.strictObject({ rto: z.number().optional(), rpo: z.literal(0).optional() }).optional(),
        })
        .optional(),
    backup: backupSchema.optional(),
    /** Read by the drills, which refuse to harm a stack without it; it changes nothing of what is deployed. */
    drills: z.literal("allowed").optional(),
    restore: restoreSchema.optional(),
});

export type StackConfig = z.infer<typeof schema>;

/** Keys whose values are encrypted in the stack's settings. */
const secretKeys = [
    "sshPrivateKey",
    ...Object.values(repositoryKeys),
    passphraseKey,
    ...Object.values(restoreSecretKeys),
];

const keys = Object.keys(schema.shape) as (keyof StackConfig)[];

/** The only reader of pulumi.Config: the stack's configuration as arguments of PostgresHA, or every problem at once. */
export async function readStackConfig(): Promise<PostgresHAArgs> {
    const config = new pulumi.Config();
    const raw = Object.fromEntries(
        keys.flatMap((key) => {
            const value = readValue(config, key);
            return value === undefined ? [] : [[key, value]];
        }),
    );
    const privateKey = config.getSecret("sshPrivateKey");
    const backup = {
        accessKeyId: config.getSecret(repositoryKeys.accessKeyId),
        secretAccessKey: config.getSecret(repositoryKeys.secretAccessKey),
        passphrase: config.getSecret(passphraseKey),
    };
    const restore = {
        accessKeyId: config.getSecret(restoreSecretKeys.accessKeyId),
        secretAccessKey: config.getSecret(restoreSecretKeys.secretAccessKey),
        passphrase: config.getSecret(restoreSecretKeys.passphrase),
    };
    return toArguments(pulumi.getStack(), raw, unknownKeys(config), privateKey, backup, restore);
}

/** Objects and numbers are JSON in a stack's settings, plain words are not. */
function readValue(config: pulumi.Config, key: string): unknown {
    const text = config.get(key);
    if (text === undefined) {
        return undefined;
    }
    try {
        return JSON.parse(text) as unknown;
    } catch {
        return text;
    }
}

/** Keys of this project that nobody reads: a misspelt one must not be silently without effect. */
function unknownKeys(config: pulumi.Config): string[] {
    const known = new Set<string>([...keys, ...secretKeys]);
    return Object.keys(pulumi.runtime.allConfig())
        .filter((key) => key.startsWith(`${config.name}:`))
        .map((key) => key.slice(config.name.length + 1))
        .filter((key) => !known.has(key));
}

export async function toArguments(
    stack: string,
    raw: Record<string, unknown>,
    unknown: string[] = [],
    privateKey?: pulumi.Output<string>,
    backupSecrets: BackupSecrets = {},
    restoreSecrets: BackupSecrets = {},
): Promise<PostgresHAArgs> {
    const subject = `configuration of stack ${stack}`;
    const problems: Problem[] = unknown.map((path) => ({
        path,
        message: `is no key of this configuration; the keys are ${[...keys, ...secretKeys].join(", ")}`,
    }));
    const parsed = schema.safeParse(raw);
    if (!parsed.success) {
        problems.push(...parsed.error.issues.map(describe));
        throw new ValidationError(subject, problems);
    }
    const { profile, machines, backup, restore, drills: _drills, ...rest } = parsed.data;
    const base = profiles[profile ?? "dev"];
    const protectData = rest.protectData ?? base.protectData;
    const args: PostgresHAArgs = {
        stack,
        ...rest,
        machines: machineArguments(machines, privateKey, problems),
        etcd: { ...base.etcd, ...rest.etcd },
        postgres: { ...base.postgres, ...rest.postgres },
        haproxy: { ...base.haproxy, ...rest.haproxy },
        ...(protectData === undefined ? {} : { protectData }),
        ...(backup && { backup: backupArguments(backup, backupSecrets) }),
        ...(restore && { restore: restoreArguments(restore, restoreSecrets, problems) }),
    };
    problems.push(...problemsOf(() => normalise(args)), ...confirm(args.cluster ?? defaults.cluster, args.restore));
    if (problems.length > 0) {
        throw new ValidationError(subject, problems);
    }
    const servers = args.machines.machines.slice(0, args.kubernetes?.servers ?? defaults.kubernetes.servers);
    const apiAddress = await chooseApiEndpoint(
        servers.map(({ address }) => address),
        ports.kubernetes,
    );
    return { ...args, kubernetes: { ...args.kubernetes, apiAddress } };
}

function problemsOf(check: () => unknown): Problem[] {
    try {
        check();
        return [];
    } catch (error) {
        if (error instanceof ValidationError) {
            return error.problems;
        }
        throw error;
    }
}

const describe = (issue: z.core.$ZodIssue): Problem => ({
    path:
        issue.path
            .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`))
            .join("") || "configuration",
    message: `${issue.message}; the keys and their values are explained in Pulumi.production.yaml`,
});

function machineArguments(
    machines: StackConfig["machines"],
    privateKey: pulumi.Output<string> | undefined,
    problems: Problem[],
): MachinesArgs {
    if (machines.provider === "docker") {
        return machines;
    }
    const key = privateKey ?? keyFromFile(machines.privateKeyFile, problems);
    return { provider: "existing", machines: machines.machines, privateKey: key };
}

/** The private key of existing hosts; what keeps it from being read is one more problem beside the others. */
function keyFromFile(file: string | undefined, problems: Problem[]): pulumi.Output<string> {
    if (file === undefined) {
        problems.push({
            path: "sshPrivateKey",
            message:
                "is missing; set it with `pulumi config set --secret sshPrivateKey < ~/.ssh/id_ed25519`, or machines.privateKeyFile",
        });
    } else {
        try {
            const key = readFileSync(file.replace(/^~(?=\/)/, homedir()), "utf8");
            const problem = privateKeyProblem(key);
            if (problem !== undefined)
                problems.push({ path: "machines.privateKeyFile", message: `${file} ${problem}` });
            return pulumi.secret(key);
        } catch (error) {
            problems.push({
                path: "machines.privateKeyFile",
                message: `${file} cannot be read (${(error as Error).message}); correct the path`,
            });
        }
    }
    return pulumi.secret("");
}
