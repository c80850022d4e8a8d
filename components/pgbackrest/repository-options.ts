import type { Repository } from "./repository";

/** A repository whose values are known. */
export type KnownRepository = Omit<Repository, "caCertificate" | "credentials"> & {
    caCertificate?: string;
    credentials: { type: "key"; accessKeyId: string; secretAccessKey: string } | { type: "role" };
};

/** pgBackRest's options that say where repository 1 lies. They hold its keys: a secret. */
export function repositoryOptions(repository: KnownRepository, caFile: string): Record<string, string> {
    const { host, port, bucket, region, uriStyle, caCertificate, credentials, path } = repository;
    return {
        "repo1-type": "s3",
        "repo1-s3-endpoint": host,
        "repo1-storage-port": String(port),
        "repo1-s3-bucket": bucket,
        "repo1-s3-region": region,
        "repo1-s3-uri-style": uriStyle,
        ...(caCertificate === undefined ? {} : { "repo1-storage-ca-file": caFile }),
        ...(credentials.type === "role"
            ? { "repo1-s3-key-type": "auto" }
            : { "repo1-s3-key": credentials.accessKeyId, "repo1-s3-key-secret": credentials.secretAccessKey }),
        "repo1-path": path,
    };
}
