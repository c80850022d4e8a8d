import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Certificate, CertificateAuthority } from "../certificates/certificates";
import { backupRunnerName, labels, ports } from "../naming";
import { paths } from "../patroni/config";
import { inCluster, type WorkloadContext } from "../workload";
import type { NormalisedBackup } from "./backup-args";
import { backupPaths, renderPgBackRestConfig, runnerCommonName, type RepositoryAccess } from "./config";
import type { Repository } from "./repository";
import { restoreRequest, type RestoreArgs } from "./restore";

export interface PgBackRestArgs {
    context: WorkloadContext;
    cluster: string;
    backup: NormalisedBackup;
    /** Names of the instances; the runner reaches them by these. */
    instances: string[];
    restore?: RestoreArgs;
}

/** What the instances' pods need of the repository. */
export interface InstanceBackup {
    stanza: string;
    /** pgbackrest.conf and the store's authority. */
    config: kubernetes.core.v1.Secret;
    /** Certificate of `pgbackrest server`. */
    tls: kubernetes.core.v1.Secret;
    /** The restore that was asked for. */
    request: kubernetes.core.v1.ConfigMap;
    store: { host: string; port: number };
}

/** Settings, passphrase and certificates of pgBackRest: everything that the instances and the runner mount. */
export class PgBackRest extends pulumi.ComponentResource {
    /** Encrypts the repository; a secret. Whoever loses it has lost every backup. */
    readonly passphrase: pulumi.Output<string>;
    readonly stanza: string;
    readonly instance: InstanceBackup;
    /** The runner's settings, and its certificate. */
    readonly runner: { config: kubernetes.core.v1.Secret; tls: kubernetes.core.v1.Secret };

    constructor(name: string, args: PgBackRestArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:pgbackrest:PgBackRest", name, {}, opts);
        const object = inCluster(this, args.context);
        this.stanza = args.cluster;
        this.passphrase = createPassphrase(name, args.backup, this);
        const { instance, runner } = createTls(name, args, this, object);
        const { repository } = args.backup;
        this.instance = {
            stanza: this.stanza,
            config: createConfig(`${name}-config`, "pgbackrest", args, this.passphrase, object),
            tls: instance,
            request: createRequest(name, args, object),
            store: { host: repository.host, port: repository.port },
        };
        this.runner = {
            config: createConfig(`${name}-runner-config`, "backup-runner", args, this.passphrase, object, true),
            tls: runner,
        };
        this.registerOutputs({ stanza: this.stanza });
    }
}

const metadata = ({ cluster, context }: PgBackRestArgs, name: string) => ({
    name,
    namespace: context.namespace,
    labels: labels(cluster, "pgbackrest"),
});

function createPassphrase(name: string, backup: NormalisedBackup, parent: pulumi.Resource): pulumi.Output<string> {
    const given = backup.passphrase;
    return pulumi.secret(
        given ??
            // Letters and digits: pgbackrest.conf has no quoting.
            new random.RandomPassword(`${name}-passphrase`, { length: 48, special: false }, { parent }).result,
    );
}

/** One repository as text for pgbackrest.conf; secret, because it holds the key and the passphrase. */
const accessTo = (
    repository: Repository,
    passphrase: pulumi.Input<string>,
    caFile: string,
): pulumi.Output<RepositoryAccess> =>
    pulumi.secret(
        pulumi.all([repository.credentials, passphrase]).apply(([credentials, known]): RepositoryAccess => ({
            host: repository.host,
            port: repository.port,
            bucket: repository.bucket,
            region: repository.region,
            uriStyle: repository.uriStyle,
            path: repository.path,
            caFile: repository.caCertificate === undefined ? undefined : `${backupPaths.config}/${caFile}`,
            passphrase: known,
            key: credentials.type === "key" ? credentials : undefined,
        })),
    );

/** One name, changed in place: pgBackRest reads it at every call, so that new keys need no restart. */
function createConfig(
    name: string,
    suffix: string,
    args: PgBackRestArgs,
    passphrase: pulumi.Output<string>,
    object: pulumi.CustomResourceOptions,
    forRunner = false,
): kubernetes.core.v1.Secret {
    const { backup, restore, cluster, instances } = args;
    const port = { port: ports.pgBackRest, data: paths.data, socket: paths.socket };
    const render = (repository: RepositoryAccess, stanza: string, runner = false) =>
        renderPgBackRestConfig(
            {
                stanza,
                repository,
                processes: backup.processes,
                retention: backup.retention,
                role: runner ? { kind: "runner", instances } : { kind: "local" },
            },
            port,
        );
    const own = accessTo(backup.repository, passphrase, "ca.crt");
    const data: Record<string, pulumi.Input<string>> = {
        "pgbackrest.conf": own.apply((repository) => render(repository, cluster)),
        ...authority("ca.crt", backup.repository),
    };
    const source = restore?.from;
    if (forRunner) {
        data["runner.conf"] = own.apply((repository) => render(repository, cluster, true));
    } else if (source) {
        const access = accessTo(source.repository, source.passphrase, "source-ca.crt");
        data["source.conf"] = access.apply((repository) => render(repository, source.stanza));
        Object.assign(data, authority("source-ca.crt", source.repository));
    }
    return new kubernetes.core.v1.Secret(
        name,
        { metadata: metadata(args, `${cluster}-${suffix}`), stringData: data },
        object,
    );
}

const authority = (file: string, { caCertificate }: Repository): Record<string, pulumi.Input<string>> =>
    caCertificate === undefined ? {} : { [file]: caCertificate };

/** A trust domain of its own: only the runner may read an instance's files, only the status reads the runner's. */
function createTls(
    name: string,
    args: PgBackRestArgs,
    parent: pulumi.Resource,
    object: pulumi.CustomResourceOptions,
): { instance: kubernetes.core.v1.Secret; runner: kubernetes.core.v1.Secret } {
    const authority = new CertificateAuthority(
        `${name}-ca`,
        { commonName: `${args.cluster} pgBackRest CA` },
        { parent },
    );
    const server = new Certificate(
        `${name}-server`,
        { authority, commonName: `${args.cluster} pgBackRest`, dnsNames: args.instances, usages: ["server"] },
        { parent },
    );
    const runner = new Certificate(
        `${name}-runner`,
        {
            authority,
            commonName: runnerCommonName,
            dnsNames: ["localhost", backupRunnerName(args.cluster)],
            usages: ["server", "client"],
        },
        { parent },
    );
    const secret = (suffix: string, certificate: Certificate) =>
        new kubernetes.core.v1.Secret(
            `${name}-${suffix}-tls`,
            {
                metadata: metadata(args, `${args.cluster}-${suffix}-tls`),
                stringData: {
                    "ca.crt": authority.certificate,
                    "tls.crt": certificate.certificate,
                    "tls.key": pulumi.secret(certificate.privateKey),
                },
            },
            object,
        );
    return { instance: secret("pgbackrest", server), runner: secret("backup-runner", runner) };
}

/** Read by an instance before it starts; what it asks for is carried out once (docs/decisions). */
const createRequest = (
    name: string,
    args: PgBackRestArgs,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.ConfigMap =>
    new kubernetes.core.v1.ConfigMap(
        `${name}-restore`,
        {
            metadata: metadata(args, `${args.cluster}-restore`),
            data: { "restore.json": `${JSON.stringify(restoreRequest(args.restore))}\n` },
        },
        object,
    );
