import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Certificate, CertificateAuthority, SigningKey } from "../certificates/certificates";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import { ports } from "../naming";
import { versions } from "../versions";
import { renderK3sConfig, renderKubeletConfig, renderUnit, type NodeRole } from "./config";
import { renderKubeconfig } from "./kubeconfig";

export interface K3sClusterArgs {
    /** Machines that run the control plane and workloads; the first starts the cluster when there is none. */
    servers: Machine[];
    /** Machines that run workloads only. @default none */
    agents?: Machine[];
    podCidr: string;
    serviceCidr: string;
    /** Interface of the private network, when it is not the one that has `privateAddress`. */
    interface?: string;
    /** Address of the API server the deploying host talks to now (api-endpoint.ts). */
    apiAddress: string;
    /** Another cluster is not filled anew without a refresh; a living node that cannot be drained is not deleted. */
    protectData: boolean;
    /** When this is destroyed the nodes go with it and need not leave the cluster one by one. */
    machinesOwner?: pulumi.Resource;
}

/** A k3s cluster with its own authorities, so that the kubeconfig is known before the first machine exists. */
export class K3sCluster extends pulumi.ComponentResource {
    readonly kubeconfig: pulumi.Output<string>;
    readonly provider: kubernetes.Provider;
    /** One per machine, in the order given. */
    readonly nodes: K3sNode[];

    constructor(name: string, args: K3sClusterArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:k3s:K3sCluster", name, {}, opts);
        const child = { parent: this };
        const token = new random.RandomPassword(`${name}-token`, { length: 48, special: false }, child);
        const trust = createTrust(name, child);

        const api = createApiAccess(name, args, trust, child);
        this.kubeconfig = pulumi.secret(pulumi.output(api).apply((known) => renderKubeconfig({ name, ...known })));
        this.nodes = createNodes(name, args, token.result, trust.files, child);
        const { identity } = new K3sIdentity(
            `${name}-identity`,
            { ...api, instances: args.servers.map(({ instance }) => instance), protectData: args.protectData },
            { ...child, dependsOn: this.nodes, deletedWith: args.machinesOwner },
        );
        this.provider = new kubernetes.Provider(
            `${name}-provider`,
            {
                kubeconfig: this.kubeconfig,
                // A changed kubeconfig (another server answers, renewed certificate) is the same cluster, and the same
                // kubeconfig may lead to another one, when every server was lost: then its objects are made anew.
                clusterIdentifier: identity,
                // Names are fixed: what Patroni and HAProxy read is changed in place, not made anew.
                enableConfigMapMutable: true,
                enableSecretMutable: true,
                // An object of an interrupted run is taken over, so that the next run can go on.
                upsertExistingObjects: true,
                // What the program says holds, whoever wrote it last: a restore scales the instances to none with kubectl,
                // which would own their number from then on and refuse it to every later update.
                enablePatchForce: true,
                // A refresh asks the server recorded last, even if that is the machine that is gone: then the objects
                // are left as they were (with a warning) and the next update, through another server, goes on.
                skipUpdateUnreachable: true,
            },
            { ...child, dependsOn: this.nodes },
        );
        this.registerOutputs({ kubeconfig: this.kubeconfig });
    }
}

interface Trust {
    server: CertificateAuthority;
    client: CertificateAuthority;
    /** Files below /var/lib/rancher/k3s/server/tls, where k3s takes its own authorities from. */
    files: pulumi.Output<Record<string, string>>;
}

function createTrust(name: string, child: pulumi.CustomResourceOptions): Trust {
    const authority = (domain: string) =>
        new CertificateAuthority(`${name}-${domain}-ca`, { commonName: `${name} ${domain} CA` }, child);
    const authorities = {
        server: authority("server"),
        client: authority("client"),
        "request-header": authority("request-header"),
        "etcd/server": authority("etcd-server"),
        "etcd/peer": authority("etcd-peer"),
    };
    const tokens = new SigningKey(`${name}-service-account-key`, { purpose: "service account tokens" }, child);
    const files = Object.entries(authorities).flatMap(([path, { certificate, privateKey }]) => [
        [`${path}-ca.crt`, certificate] as const,
        [`${path}-ca.key`, privateKey] as const,
    ]);
    return {
        server: authorities.server,
        client: authorities.client,
        files: pulumi.secret(pulumi.all(Object.fromEntries([...files, ["service.key", tokens.privateKey]]))),
    };
}

/** An administrator's way to the API server. */
interface ApiAccess {
    server: string;
    certificateAuthority: pulumi.Output<string>;
    clientCertificate: pulumi.Output<string>;
    clientKey: pulumi.Output<string>;
}

function createApiAccess(
    name: string,
    args: K3sClusterArgs,
    trust: Trust,
    child: pulumi.CustomResourceOptions,
): ApiAccess {
    const admin = new Certificate(
        `${name}-admin`,
        { authority: trust.client, commonName: "system:admin", organization: "system:masters", usages: ["client"] },
        child,
    );
    return {
        server: `https://${args.apiAddress}:${ports.kubernetes}`,
        certificateAuthority: trust.server.certificate,
        clientCertificate: admin.certificate,
        clientKey: admin.privateKey,
    };
}

/** Servers one after another, as etcd takes learners in; agents after them, side by side. */
function createNodes(
    name: string,
    args: K3sClusterArgs,
    token: pulumi.Output<string>,
    authorities: pulumi.Output<Record<string, string>>,
    child: pulumi.CustomResourceOptions,
): K3sNode[] {
    const everyMachine = [...args.servers, ...(args.agents ?? [])];
    const machinesReady = everyMachine.flatMap(({ ready }) => ready);
    const create = (machine: Machine, role: NodeRole, after: pulumi.Resource[]): K3sNode =>
        new K3sNode(
            `${name}-${machine.name}`,
            {
                node: machine.name,
                role,
                version: versions.k3s,
                access: access(machine),
                instance: machine.instance,
                config: pulumi.secret(
                    token.apply((known) =>
                        renderK3sConfig({
                            role,
                            name: machine.name,
                            address: machine.address,
                            privateAddress: machine.privateAddress,
                            token: known,
                            podCidr: args.podCidr,
                            serviceCidr: args.serviceCidr,
                            interface: args.interface,
                        }),
                    ),
                ),
                kubelet: renderKubeletConfig(),
                unit: renderUnit(role),
                authorities,
                peers: args.servers.filter((server) => server !== machine).map(access),
                roster: everyMachine.map(({ name }) => name),
                disks: everyMachine.map(access),
                protectData: args.protectData,
            },
            { ...child, dependsOn: [...machinesReady, ...after], deletedWith: args.machinesOwner },
        );
    const servers = args.servers.reduce<K3sNode[]>(
        (before, machine) => [...before, create(machine, "server", before.slice(-1))],
        [],
    );
    return [...servers, ...(args.agents ?? []).map((machine) => create(machine, "agent", servers))];
}

interface K3sNodeArgs {
    node: string;
    role: NodeRole;
    version: string;
    access: pulumi.Input<object>;
    instance: pulumi.Input<string>;
    config: pulumi.Input<string>;
    kubelet: string;
    unit: string;
    authorities: pulumi.Input<Record<string, string>>;
    peers: pulumi.Input<object>[];
    roster: string[];
    disks: pulumi.Input<object>[];
    protectData: boolean;
}

/** k3s on one machine. */
export class K3sNode extends StepResource {
    constructor(name: string, args: K3sNodeArgs, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/k3s/node.step",
            "K3sNode",
            name,
            { ...args },
            pulumi.mergeOptions(opts, {
                additionalSecretOutputs: ["access", "config", "authorities", "peers", "disks"],
            }),
        );
    }
}

/** Which cluster answers at this API server. */
class K3sIdentity extends StepResource {
    declare readonly identity: pulumi.Output<string>;

    constructor(
        name: string,
        args: ApiAccess & { instances: pulumi.Input<string>[]; protectData: boolean },
        opts: pulumi.CustomResourceOptions,
    ) {
        super(
            "./components/k3s/identity.step",
            "K3sIdentity",
            name,
            { ...args, identity: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["clientKey"] }),
        );
    }
}

/** The machines that belong to the cluster: one that was taken out of the configuration is retired. */
export class K3sRoster extends StepResource {
    constructor(name: string, args: { members: Machine[]; servers: Machine[] }, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/k3s/roster.step",
            "K3sRoster",
            name,
            { members: args.members.map(access), servers: args.servers.map(access) },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["members", "servers"] }),
        );
    }
}
