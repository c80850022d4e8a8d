import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Certificate, CertificateAuthority, tlsFiles } from "../certificates/certificates";
import { textDigest } from "../content-digest";
import { MemberCount } from "../member-count";
import { createDisruptionBudget, createMemberServices, type MemberSet } from "../member-set";
import { instanceName, labels, ports } from "../naming";
import { instanceAddress } from "../network";
import { holdsData, inCluster, keepsClaims, metadataOf } from "../workload";
import { renderPatroniConfig } from "./config";
import { dynamicConfig, type DynamicConfig } from "./dynamic-config";
import { createInstances } from "./instances";
import type { PatroniClusterArgs } from "./patroni-cluster-args";

/** PostgreSQL under Patroni: strict synchronous replication, automatic failover. */
export class PatroniCluster extends pulumi.ComponentResource {
    readonly instances: { name: string; address: string }[];
    readonly dynamicConfig: DynamicConfig;
    /** Authority clients verify PostgreSQL's certificate with. */
    readonly serverAuthority: pulumi.Output<string>;
    /** Authority of Patroni's REST API. */
    readonly patroniAuthority: pulumi.Output<string>;
    readonly ownerPassword: pulumi.Output<string>;
    readonly statefulSet: kubernetes.apps.v1.StatefulSet;

    constructor(name: string, args: PatroniClusterArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:patroni:PatroniCluster", name, {}, opts);
        const object = inCluster(this, args.context);
        this.instances = Array.from({ length: args.instances }, (_, index) => ({
            name: instanceName(args.cluster, index),
            address: instanceAddress(args.serviceCidr, index),
        }));
        this.dynamicConfig = dynamicConfig(args);

        const credentials = createCredentials(name, args, this, object);
        this.ownerPassword = credentials.ownerPassword;
        const tls = createTls(name, args, this.instances, this, object);
        this.serverAuthority = tls.serverAuthority;
        this.patroniAuthority = tls.patroniAuthority;
        const render = (dynamic: DynamicConfig) =>
            renderPatroniConfig({
                cluster: args.cluster,
                etcdHosts: args.etcd.hosts,
                dynamic,
                stanza: args.backup?.stanza,
            });
        const config = new kubernetes.core.v1.ConfigMap(
            `${name}-config`,
            {
                metadata: metadata(args, `${args.cluster}-patroni`),
                data: { "patroni.yml": render(this.dynamicConfig) },
            },
            object,
        );
        const set: MemberSet = {
            name: args.cluster,
            labels: labels(args.cluster, "postgresql"),
            members: this.instances,
            ports: [
                { name: "postgresql", port: ports.postgresql },
                { name: "patroni", port: ports.patroni },
                ...(args.backup ? [{ name: "pgbackrest", port: ports.pgBackRest }] : []),
            ],
            metadata: (...of) => metadata(args, ...of),
        };
        const services = createMemberServices(name, set, object);
        createDisruptionBudget(name, set, object);
        const count = new MemberCount(`${name}-member-count`, "postgres.instances", this.instances.length, {
            parent: this,
        });
        this.statefulSet = createInstances(
            name,
            args,
            {
                instances: this.instances,
                config,
                configDigest: textDigest(render({})),
                credentials: credentials.secret,
                ...tls.secrets,
            },
            { ...object, ...holdsData(args.context), ...keepsClaims, dependsOn: [args.etcd.ready, ...services, count] },
        );
        this.registerOutputs({});
    }
}

const metadata = metadataOf("postgresql");

interface Credentials {
    secret: kubernetes.core.v1.Secret;
    ownerPassword: pulumi.Output<string>;
}

function createCredentials(
    name: string,
    args: PatroniClusterArgs,
    parent: pulumi.Resource,
    object: pulumi.CustomResourceOptions,
): Credentials {
    // Letters and digits: the same in a URL, a shell and a configuration file.
    const password = (user: string, generation = 1) =>
        pulumi.secret(
            new random.RandomPassword(
                `${name}-${user}-password`,
                {
                    length: 32,
                    special: false,
                    // The first has none, as those have that were made before there were generations.
                    ...(generation > 1 && { keepers: { generation: String(generation) } }),
                },
                { parent },
            ).result,
        );
    const ownerPassword = password("owner", args.database.passwordGeneration);
    const secret = new kubernetes.core.v1.Secret(
        `${name}-credentials`,
        {
            metadata: metadata(args, `${args.cluster}-credentials`),
            stringData: {
                PATRONI_SUPERUSER_PASSWORD: password("superuser"),
                PATRONI_REPLICATION_PASSWORD: password("replication"),
                PATRONI_REWIND_PASSWORD: password("rewind"),
                APP_PASSWORD: ownerPassword,
            },
        },
        object,
    );
    return { secret, ownerPassword };
}

interface Tls {
    serverAuthority: pulumi.Output<string>;
    patroniAuthority: pulumi.Output<string>;
    secrets: { tls: kubernetes.core.v1.Secret; etcdTls: kubernetes.core.v1.Secret };
}

/** Three trust domains meet in the pod: clients trust one authority, Patroni's API another, etcd its own. */
function createTls(
    name: string,
    args: PatroniClusterArgs,
    instances: { name: string; address: string }[],
    parent: pulumi.Resource,
    object: pulumi.CustomResourceOptions,
): Tls {
    const child = { parent };
    const serverAuthority = new CertificateAuthority(
        `${name}-ca`,
        { commonName: `${args.cluster} PostgreSQL CA` },
        child,
    );
    const patroniAuthority = new CertificateAuthority(
        `${name}-api-ca`,
        { commonName: `${args.cluster} Patroni CA` },
        child,
    );
    const own = {
        dnsNames: ["localhost", ...instances.map((instance) => instance.name)],
        ipAddresses: ["127.0.0.1", ...instances.map((instance) => instance.address)],
    };
    const server = new Certificate(
        `${name}-server`,
        {
            authority: serverAuthority,
            commonName: `${args.cluster} PostgreSQL`,
            dnsNames: [...own.dnsNames, ...args.serverNames.dnsNames],
            ipAddresses: [...own.ipAddresses, ...args.serverNames.ipAddresses],
            usages: ["server"],
        },
        child,
    );
    const api = new Certificate(
        `${name}-api`,
        { authority: patroniAuthority, commonName: `${args.cluster} Patroni`, ...own, usages: ["server", "client"] },
        child,
    );
    const etcdClient = new Certificate(
        `${name}-etcd-client`,
        { authority: args.etcd.authority, commonName: `${args.cluster} Patroni`, usages: ["client"] },
        child,
    );
    const secret = (suffix: string, stringData: Record<string, pulumi.Input<string>>) =>
        new kubernetes.core.v1.Secret(
            `${name}-${suffix}`,
            { metadata: metadata(args, `${args.cluster}-${suffix}`), stringData },
            object,
        );
    const tls = secret("tls", {
        "ca.crt": serverAuthority.certificate,
        "postgresql.crt": server.certificate,
        "postgresql.key": pulumi.secret(server.privateKey),
        "patroni-ca.crt": patroniAuthority.certificate,
        "tls.crt": api.certificate,
        "tls.key": pulumi.secret(api.privateKey),
    });
    const etcdTls = secret("etcd-client", tlsFiles(args.etcd.authority, etcdClient));
    return {
        serverAuthority: serverAuthority.certificate,
        patroniAuthority: patroniAuthority.certificate,
        secrets: { tls, etcdTls },
    };
}
