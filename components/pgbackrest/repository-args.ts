import type * as pulumi from "@pulumi/pulumi";
import type { Repository, RepositoryCredentials } from "./repository";

/** A store made by the stack on a machine of its own, for development; needs `machines.provider: docker`. */
export interface DockerRepositoryArgs {
    provider: "docker";
    /** The store's machine; its address lies in `machines.subnet`. A change makes it anew; its objects stay. */
    machine: { name: string; address: string };
    /** Made by the stack. A change leaves the old bucket, with what is in it, in the store. @default backups */
    bucket?: string;
    /** Folder in the bucket. A change is an empty repository: backups begin anew. @default /<stack>/<cluster> */
    path?: string;
}

/** A bucket that exists, of any S3-compatible store. */
export interface S3RepositoryArgs {
    provider: "s3";
    /** `https://host` or `https://host:port`; pgBackRest takes no plain HTTP. */
    endpoint: string;
    /** Name of the bucket. It is never made nor deleted. */
    bucket: string;
    /** Of the bucket; stores without regions take any. @default us-east-1 */
    region?: string;
    /** path: `https://host/bucket/key`, host: `https://bucket.host/key`. @default path */
    uriStyle?: "path" | "host";
    /** PEM of the authority of the endpoint's certificate. @default those that the image's system trusts */
    caCertificate?: string;
    /** Folder in the bucket. A change is an empty repository: backups begin anew. @default /<stack>/<cluster> */
    path?: string;
    /** With `secretAccessKey`; a secret. */
    accessKeyId?: pulumi.Input<string>;
    secretAccessKey?: pulumi.Input<string>;
    /** Instead of keys: the IAM role of the machines. @default false */
    role?: boolean;
}

/** Where the backups lie. */
export type RepositoryArgs = DockerRepositoryArgs | S3RepositoryArgs;

export type NormalisedRepositoryArgs =
    Required<DockerRepositoryArgs> | (S3RepositoryArgs & Required<Pick<S3RepositoryArgs, RepositoryDefault>>);

type RepositoryDefault = "region" | "uriStyle" | "path" | "role";

/** The arguments with every default in place. */
export function normaliseRepository(args: RepositoryArgs, stack: string, cluster: string): NormalisedRepositoryArgs {
    // Stacks that share a bucket never share a folder.
    const path = args.path ?? `/${stack}/${cluster}`;
    if (args.provider === "docker") {
        return { ...args, bucket: args.bucket ?? "backups", path };
    }
    return {
        ...args,
        // What stores without regions call theirs.
        region: args.region ?? "us-east-1",
        // Every store takes it, none needs a name per bucket in its certificate.
        uriStyle: args.uriStyle ?? "path",
        role: args.role ?? false,
        path,
    };
}

/** The parts of an endpoint; undefined when it is no HTTPS address of a host alone. */
export function parseEndpoint(endpoint: string): { host: string; port: number } | undefined {
    const [, host, port] = /^https:\/\/([a-z0-9][a-z0-9.-]*)(?::(\d{1,5}))?\/?$/i.exec(endpoint) ?? [];
    return host === undefined || Number(port ?? 443) > 65535 ? undefined : { host, port: Number(port ?? 443) };
}

/** A bucket that exists already, as the components see it. The arguments were checked before. */
export function existingRepository(args: Extract<NormalisedRepositoryArgs, { provider: "s3" }>): Repository {
    const { host, port } = parseEndpoint(args.endpoint) ?? { host: args.endpoint, port: 443 };
    const { bucket, region, uriStyle, caCertificate, path } = args;
    return { host, port, bucket, region, uriStyle, caCertificate, path, credentials: credentialsOf(args) };
}

const credentialsOf = ({ accessKeyId, secretAccessKey, role }: S3RepositoryArgs): RepositoryCredentials =>
    role === true || accessKeyId === undefined || secretAccessKey === undefined
        ? { type: "role" }
        : { type: "key", accessKeyId, secretAccessKey };
