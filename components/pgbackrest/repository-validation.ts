import { X509Certificate } from "node:crypto";
import { machineAddressProblem } from "../machines/docker/subnet";
import { parseIpv4 } from "../network";
import type { MachinesArgs } from "../machines/machines-args";
import { machineNameProblem, type Problem } from "../validation";
import {
    parseEndpoint,
    type DockerRepositoryArgs,
    type RepositoryArgs,
    type S3RepositoryArgs,
} from "./repository-args";

/**
 * Everything that is wrong with a repository, by default `backup.repository`; `keys`: where its credentials are set. Whether
 * it answers is not known here.
 */
export function repositoryProblems(
    args: RepositoryArgs,
    machines: MachinesArgs,
    at = "backup.repository",
    keys: Record<keyof typeof secretKeys, string> = secretKeys,
): Problem[] {
    const problems: Problem[] = [];
    const add: Add = (field, message) => problems.push({ path: [at, ...field].join("."), message });
    commonProblems(args, add);
    if (args.provider === "docker") {
        dockerStoreProblems(args, machines, add);
    } else {
        endpointProblems(args, add);
        certificateProblems(args, add);
        credentialProblems(args, keys, add);
    }
    return problems;
}

/** Names the field by its path below the repository's. */
type Add = (field: string[], message: string) => void;

function commonProblems({ bucket, path }: RepositoryArgs, add: Add): void {
    if (bucket !== undefined && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
        add(["bucket"], `"${bucket}" is no bucket name: use 3 to 63 lower-case letters, digits, hyphens and dots`);
    }
    if (path !== undefined && (!/^(\/[\w.-]+)+$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))) {
        add(["path"], `"${path}" is no folder in the bucket; write it as /backups/orders`);
    }
}

function dockerStoreProblems({ machine }: DockerRepositoryArgs, machines: MachinesArgs, add: Add): void {
    if (machines.provider !== "docker") {
        add(["provider"], 'docker needs machines of the docker provider; use "s3" with a bucket that exists');
        return;
    }
    const found = {
        name: machineNameProblem(machine.name),
        address: machineAddressProblem(machines.subnet, machine.address),
    };
    for (const field of ["name", "address"] as const) {
        if (found[field] !== undefined) add(["machine", field], found[field]);
    }
    for (const field of ["name", "address"] as const) {
        const index = machines.machines.findIndex((other) => other[field] === machine[field]);
        if (index >= 0) {
            add(
                ["machine", field],
                `"${machine[field]}" is also that of machines.machines[${index}]; the store is a machine of its own`,
            );
        }
    }
}

function endpointProblems({ endpoint, bucket, region, uriStyle }: S3RepositoryArgs, add: Add): void {
    const parsed = parseEndpoint(endpoint);
    if (parsed === undefined) {
        add(["endpoint"], `"${endpoint}" is no HTTPS address of a host; write it as https://s3.example.com:9000`);
    }
    if (uriStyle === "host" && parsed !== undefined && parseIpv4(parsed.host) !== undefined) {
        add(["uriStyle"], `host needs a DNS name before which the bucket's can be put, not ${parsed.host}; use path`);
    }
    if (uriStyle === "host" && bucket.includes(".")) {
        add(["bucket"], `"${bucket}" has a dot: no certificate fits https://${bucket}.<host>; use uriStyle path`);
    }
    if (region !== undefined && !/^[\w-]+$/.test(region)) {
        add(["region"], `"${region}" is no region; write it as eu-central-1, or leave it out`);
    }
}

function certificateProblems({ caCertificate }: S3RepositoryArgs, add: Add): void {
    if (caCertificate === undefined) {
        return;
    }
    try {
        const { validTo } = new X509Certificate(caCertificate);
        if (Date.parse(validTo) < Date.now()) {
            add(["caCertificate"], `ended on ${validTo}; give the authority's present certificate`);
        }
    } catch {
        add(["caCertificate"], "is no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
    }
}

function credentialProblems(
    { accessKeyId, secretAccessKey, role }: S3RepositoryArgs,
    keys: Record<keyof typeof secretKeys, string>,
    add: Add,
): void {
    const values = { accessKeyId, secretAccessKey };
    const given = (["accessKeyId", "secretAccessKey"] as const).filter((key) => values[key] !== undefined);
    if (role === true && given.length > 0) {
        add(["role"], `true and ${given.join(", ")} exclude each other; give only one kind of credentials`);
    }
    if (role !== true && given.length < 2) {
        const missing = (["accessKeyId", "secretAccessKey"] as const).filter((key) => !given.includes(key));
        const commands = missing.map((key) => `\`pulumi config set --secret ${keys[key]}\``);
        add([], `has no ${missing.join(" and no ")}; set ${commands.join(" and ")}, or role: true`);
    }
}

/** Keys of the stack's configuration that hold the credentials. */
export const secretKeys = { accessKeyId: "backupAccessKeyId", secretAccessKey: "backupSecretAccessKey" } as const;

/** The same for the repository that a restore reads from (`restore.from`). */
export const sourceSecretKeys = {
    accessKeyId: "restoreAccessKeyId",
    secretAccessKey: "restoreSecretAccessKey",
} as const;
