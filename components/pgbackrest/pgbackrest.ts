import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Certificate, CertificateAuthority, tlsFiles } from "../certificates/certificates";
import type { Machine } from "../machines/machine";
import { backupRunnerName, ports } from "../naming";
import { paths } from "../patroni/config";
import { inCluster, metadataOf, type WorkloadContext } from "../workload";
import type { NormalisedBackup } from "./backup-args";
import { backupPaths, renderPgBackRestConfig, runnerCommonName, type PgBackRestConfigInput } from "./config";
import type { Repository } from "./repository";
import { existingRepository, normaliseRepository } from "./repository-args";
import { PassphraseCheck } from "./passphrase-check";
import { restoreRequest, type RestoreArgs } from "./restore";
import { RestorePreparation } from "./restore-preparation";

export interface PgBackRestArgs {
    context: WorkloadContext;
    cluster: string;
    backup: NormalisedBackup;
    repository: Repository;
    /** Names of the instances; the runner reaches them by these. */
    instances: string[];
    restore?: RestoreArgs;
    /** Image that holds pgBackRest, present on the machines. */
    image: string;
    machines: Machine[];
    servers: Machine[];
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
    /** The runner's settings, and its certificate with the key. */
    readonly runner: { config: kubernetes.core.v1.Secret; tls: kubernetes.core.v1.Secret };
    readonly runnerCertificate: pulumi.Output<string>;

    constructor(name: string, args: PgBackRestArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:pgbackrest:PgBackRest", name, {}, opts);
        const object = inCluster(this, args.context);
        this.stanza = args.cluster;
        const generated = generatedPassphrase(name, this);
        this.passphrase = pulumi.secret(args.backup.passphrase ?? generated);
        const { instance, runner, runnerCertificate } = createTls(name, args, this, object);
        this.runnerCertificate = runnerCertificate;
        const { repository } = args;
        const files = instanceFiles(args, this.passphrase);
        const allowed = {
            ...object,
            dependsOn: [
                createPassphraseCheck(name, args, { files, passphrase: this.passphrase }, this),
                ...createRestorePreparation(name, args, files, object),
            ],
        };
        this.instance = {
            stanza: this.stanza,
            config: createConfig(`${name}-settings`, "pgbackrest", args, files, allowed),
            tls: instance,
            request: createRequest(name, args, allowed),
            store: { host: repository.host, port: repository.port },
        };
        const runnerSettings = runnerFiles(args, this.passphrase);
        this.runner = {
            config: createConfig(`${name}-runner-settings`, "backup-runner", args, runnerSettings, allowed),
            tls: runner,
        };
        this.registerOutputs({ stanza: this.stanza });
    }
}

/**
 * In the place of PgBackRest, under its name, while a stack has no backups: the passphrase stays in the state, as a repository
 * may hold backups that nothing else opens.
 */
export class KeptPassphrase extends pulumi.ComponentResource {
    constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:pgbackrest:PgBackRest", name, {}, opts);
        generatedPassphrase(name, this);
        this.registerOutputs({});
    }
}

const metadata = metadataOf("pgbackrest");

/** Made in any case and once, also where another is given: what was encrypted with it is read with nothing else. */
const generatedPassphrase = (name: string, parent: pulumi.Resource): pulumi.Output<string> =>
    // Letters and digits: pgbackrest.conf has no quoting.
    new random.RandomPassword(`${name}-passphrase`, { length: 48, special: false }, { parent }).result;

type Files = Record<string, pulumi.Input<string>>;

/** One name, changed in place: pgBackRest reads it at every call, so that new keys need no restart. */
const createConfig = (
    name: string,
    suffix: string,
    args: PgBackRestArgs,
    stringData: Files,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.Secret =>
    new kubernetes.core.v1.Secret(name, { metadata: metadata(args, `${args.cluster}-${suffix}`), stringData }, object);

const ownAccess = ({ repository, cluster }: PgBackRestArgs, passphrase: pulumi.Input<string>): Access => ({
    ...{ repository, passphrase, stanza: cluster, caFile: "ca.crt" },
});

function instanceFiles(args: PgBackRestArgs, passphrase: pulumi.Input<string>): Files {
    const own = ownAccess(args, passphrase);
    const source = sourceOf(args);
    return {
        "pgbackrest.conf": render(args, own, { kind: "local" }),
        ...authority(own),
        ...(source ? { "source.conf": render(args, source, { kind: "local" }), ...authority(source) } : {}),
    };
}

function runnerFiles(args: PgBackRestArgs, passphrase: pulumi.Input<string>): Files {
    const own = ownAccess(args, passphrase);
    return {
        "pgbackrest.conf": render(args, own, { kind: "local" }),
        ...authority(own),
        "runner.conf": render(args, own, { kind: "runner", instances: args.instances }),
    };
}

const createPassphraseCheck = (
    name: string,
    { cluster, image, machines, context }: PgBackRestArgs,
    secrets: { files: Files; passphrase: pulumi.Output<string> },
    parent: pulumi.Resource,
): pulumi.Resource =>
    new PassphraseCheck(
        `${name}-passphrase-check`,
        { stanza: cluster, image, machines, ...secrets },
        { parent, deletedWith: context.cluster },
    );

/** Nothing to wait for where no restore is asked for. */
function createRestorePreparation(
    name: string,
    { restore, cluster, context, instances, image, machines, servers }: PgBackRestArgs,
    files: Files,
    { parent }: pulumi.CustomResourceOptions,
): pulumi.Resource[] {
    if (!restore) {
        return [];
    }
    const request = restoreRequest(restore);
    const { namespace } = context;
    return [
        new RestorePreparation(
            `${name}-restore-preparation`,
            { cluster, namespace, instances, request, files, image, machines, servers },
            { parent, deletedWith: context.cluster },
        ),
    ];
}

interface Access {
    repository: Repository;
    passphrase: pulumi.Input<string>;
    stanza: string;
    /** Key of the Secret with the store's authority. */
    caFile: string;
}

function sourceOf({ restore, cluster }: PgBackRestArgs): Access | undefined {
    if (!restore?.from) {
        return undefined;
    }
    const { repository, passphrase, stanza } = restore.from;
    const normalised = normaliseRepository(repository, "", cluster);
    return normalised.provider === "s3"
        ? { repository: existingRepository(normalised), passphrase, stanza, caFile: "source-ca.crt" }
        : undefined;
}

const render = (
    { backup }: PgBackRestArgs,
    { repository, passphrase, stanza, caFile }: Access,
    role: PgBackRestConfigInput["role"],
): pulumi.Output<string> =>
    pulumi.secret(
        pulumi.all([pulumi.output(repository), passphrase]).apply(([known, plain]) =>
            renderPgBackRestConfig(
                {
                    stanza,
                    repository: known,
                    caFile: `${backupPaths.config}/${caFile}`,
                    passphrase: plain,
                    processes: backup.processes,
                    retention: backup.retention,
                    role,
                },
                { port: ports.pgBackRest, data: paths.data, socket: paths.socket },
            ),
        ),
    );

const authority = ({ repository, caFile }: Access): Record<string, pulumi.Input<string>> =>
    repository.caCertificate === undefined ? {} : { [caFile]: repository.caCertificate };

/** A trust domain of its own: only the runner may read an instance's files, only the status reads the runner's. */
function createTls(
    name: string,
    args: PgBackRestArgs,
    parent: pulumi.Resource,
    object: pulumi.CustomResourceOptions,
): {
    instance: kubernetes.core.v1.Secret;
    runner: kubernetes.core.v1.Secret;
    runnerCertificate: pulumi.Output<string>;
} {
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
                stringData: tlsFiles(authority, certificate),
            },
            object,
        );
    return {
        instance: secret("pgbackrest", server),
        runner: secret("backup-runner", runner),
        runnerCertificate: runner.certificate,
    };
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
