import type * as pulumi from "@pulumi/pulumi";

/** Where the backups lie: a bucket of any S3-compatible store over HTTPS. */
export interface Repository {
    /** Host name or address of the endpoint, without scheme. */
    host: string;
    port: number;
    bucket: string;
    /** Part of every request's signature; stores without regions take any. */
    region: string;
    /** path: `https://host/bucket/key`; host: `https://bucket.host/key`. */
    uriStyle: "path" | "host";
    /** PEM of the authority of the endpoint's certificate; undefined: those that the system trusts. */
    caCertificate?: pulumi.Input<string>;
    credentials: RepositoryCredentials;
    /** Folder in the bucket, from its root: `/postgres`. */
    path: string;
}

export type RepositoryCredentials =
    | { type: "key"; accessKeyId: pulumi.Input<string>; secretAccessKey: pulumi.Input<string> }
    /** The IAM role of the machine or pod; pgBackRest's `repo1-s3-key-type=auto`. */
    | { type: "role" };
