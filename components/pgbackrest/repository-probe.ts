import { repositoryOptions, type KnownRepository } from "./repository-options";

/** Folder of the probe objects, below the repository's path. */
const folder = "postgres-ha-probe";

/**
 * A script for bash's standard input, to run in the Patroni image: connects with curl, whose exit codes tell what is
 * wrong with address and certificate, then writes, reads and deletes an object with pgBackRest. It ends with `passed`
 * or with the name of the step that failed before what was said about it. It exits by itself: ctr does not always pass
 * on that its input has ended. Files lie in memory only.
 */
export function renderProbe(repository: KnownRepository, object: string): string {
    const { caCertificate } = repository;
    const settings = {
        ...repositoryOptions(repository, "/dev/shm/ca.pem"),
        "log-level-console": "off",
        "log-level-stderr": "error",
        "log-level-file": "off",
        "lock-path": "/dev/shm",
        "io-timeout": "10",
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    const authority = caCertificate === undefined ? "" : "--cacert /dev/shm/ca.pem";
    return `umask 077
cat > /dev/shm/ca.pem <<'END-OF-FILE'
${caCertificate ?? ""}
END-OF-FILE
cat > /dev/shm/pgbackrest.conf <<'END-OF-FILE'
[global]
${lines.join("\n")}
END-OF-FILE
run() {
    said=$("\${@:2}" 2>&1) && return
    code=$?
    echo "$1 $code"
    echo "$said"
    exit 1
}
repo() { pgbackrest --config=/dev/shm/pgbackrest.conf "$@"; }
put() { echo "$object" | repo repo-put "$object"; }
get() { [ "$(repo repo-get "$object")" = "$object" ]; }
object=${folder}/${object}
run connect curl --silent --show-error --output /dev/null --connect-timeout 10 --max-time 20 ${authority} https://${serverName(repository)}:${repository.port}/ </dev/null
run write put
run read get </dev/null
run delete repo repo-rm "$object" </dev/null
echo passed
exit
`;
}

/** The name that is connected to, and that the certificate must have. */
const serverName = ({ uriStyle, bucket, host }: KnownRepository): string =>
    uriStyle === "host" ? `${bucket}.${host}` : host;

/** What to tell the user about a probe that did not pass: what is wrong, and what to do. */
export function explainProbe(repository: KnownRepository, output: string): string {
    const { host, port, bucket } = repository;
    const [first = "", ...rest] = output.trim().split("\n");
    const [stage = "", code = ""] = first.split(" ");
    const said = rest.join("\n");
    const reason =
        stage === "connect"
            ? explainConnection(Number(code), said, repository)
            : explainAnswer(stage, said, repository);
    return `repository https://${host}:${port}, bucket ${bucket}: ${reason}. Nothing was changed`;
}

function explainConnection(code: number, said: string, repository: KnownRepository): string {
    const { port } = repository;
    const host = serverName(repository);
    // The lines after the first are advice to users of curl.
    const detail = (said.split("\n")[0] ?? "").replace(/^curl: \(\d+\) /, "");
    switch (code) {
        case 6:
            return `the name ${host} is not known there; correct backup.repository.endpoint or the machine's DNS`;
        case 35:
            return `no TLS on port ${port} (${detail}); correct the port of backup.repository.endpoint`;
        case 60:
            return explainCertificate(detail, host);
        case 77:
            return "backup.repository.caCertificate cannot be read; give it in PEM form";
        default:
            return (
                `not reachable (${detail}); see that the store runs and that TCP port ${port} is open to it ` +
                "from every machine"
            );
    }
}

function explainCertificate(detail: string, host: string): string {
    if (/expired/.test(detail)) {
        return `its certificate has expired (${detail}); renew it on the store`;
    }
    if (/subject name|no alternative/i.test(detail)) {
        return `its certificate is not for ${host} (${detail}); use the name in it as backup.repository.endpoint`;
    }
    return (
        `its certificate is not trusted (${detail}); set backup.repository.caCertificate to the certificate of the ` +
        "authority that signed it"
    );
}

/** Codes of S3's error answers, by what they mean for the user. */
const answers: [RegExp, (repository: KnownRepository) => string][] = [
    [/^NoSuchBucket$/, () => "there is no such bucket; create it or correct backup.repository.bucket"],
    [
        /^(SignatureDoesNotMatch|InvalidAccessKeyId|InvalidToken|ExpiredToken|InvalidClientTokenId|XAdminUserNotFound)$/,
        ({ credentials }) =>
            credentials.type === "role"
                ? "the role's credentials are refused; see that the machines have an IAM role"
                : "wrong credentials; set them with `pulumi config set --secret backupAccessKeyId` and `... backupSecretAccessKey`",
    ],
    [
        /^(AccessDenied|AllAccessDisabled)$/,
        () => "access denied; allow s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on the bucket",
    ],
    [/^RequestTimeTooSkewed$/, () => "the clocks of store and machine differ too much; set them right"],
    [
        /^(AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraintException)$/,
        ({ region }) => `the bucket is not in region ${region}; correct backup.repository.region`,
    ],
];

function explainAnswer(stage: string, said: string, repository: KnownRepository): string {
    const field = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(said)?.[1];
    const code = field("Code");
    if (code !== undefined) {
        const [, explain] = answers.find(([pattern]) => pattern.test(code)) ?? [];
        const detail = `${code}: ${(field("Message") ?? "").replaceAll("&#34;", '"')}`.replace(/[.: ]+$/, "");
        const what = explain?.(repository) ?? "the store refused a test object; see its documentation for this code";
        return `${what} (${detail})`;
    }
    if (repository.credentials.type === "role") {
        return "the role's credentials cannot be had; see that the machines have an IAM role and reach its service";
    }
    // An answer's headers and an unknown body stay out: they may hold parts of the signature.
    const line = said.split("\n").find((text) => text.trim() !== "") ?? "no output";
    const what = {
        write: "could not be written",
        read: "did not come back as written",
        delete: "could not be deleted",
    };
    const failed = what[stage as keyof typeof what] ?? "could not be tried";
    return `a test object ${failed} (${line.trim()}); allow it to write, read and delete, then update again`;
}
