import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Certificate, CertificateAuthority, tlsFiles } from "../certificates/certificates";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import { MemberCount } from "../member-count";
import { createDisruptionBudget, createMemberServices, type MemberSet } from "../member-set";
import { etcdMemberName, labels, keyPrefix, ports } from "../naming";
import { etcdMemberAddress } from "../network";
import {
    inCluster,
    keepsClaims,
    metadataOf,
    onePerNode,
    ownImage,
    resources,
    restrictedContainer,
    restrictedPod,
    skipAwait,
    stayForever,
    type Resources,
    type WorkloadContext,
} from "../workload";

export interface EtcdClusterArgs {
    context: WorkloadContext;
    /** Name of the database cluster. */
    cluster: string;
    image: string;
    /** Number of members: odd, at least 3. */
    members: number;
    /** Size of each member's own volume. */
    storage: string;
    /** Milliseconds between a leader's heartbeats. */
    heartbeatMs: number;
    /** Milliseconds without a heartbeat until an election. */
    electionMs: number;
    /** Servers through which the members can be asked. */
    servers: Machine[];
    serviceCidr: string;
    resources: Resources;
}

/** etcd of the database alone, apart from the one of Kubernetes: the database outlives the Kubernetes API. */
export class EtcdCluster extends pulumi.ComponentResource {
    /** `address:port` of every member. */
    readonly hosts: string[];
    /** Names of the members' pods. */
    readonly members: string[];
    readonly authority: CertificateAuthority;
    /** Done when every member is well. */
    readonly ready: pulumi.Resource;

    constructor(name: string, args: EtcdClusterArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:etcd:EtcdCluster", name, {}, opts);
        const members = memberAddresses(args);
        const object = inCluster(this, args.context);
        this.hosts = members.map(({ address }) => `${address}:${ports.etcdClient}`);
        this.members = members.map((member) => member.name);
        this.authority = new CertificateAuthority(
            `${name}-ca`,
            { commonName: `${args.cluster} etcd CA` },
            { parent: this },
        );
        const tls = createTls(name, args, members, this.authority, this, object);
        const set: MemberSet = {
            name: setName(args.cluster),
            labels: labels(args.cluster, "etcd"),
            members,
            ports: [
                { name: "client", port: ports.etcdClient },
                { name: "peer", port: ports.etcdPeer },
            ],
            metadata: (...of) => metadata(args, ...of),
        };
        const services = createMemberServices(name, set, object);
        const account = createMarkerAccess(name, args, object);
        createDisruptionBudget(name, set, object);
        const count = new MemberCount(`${name}-member-count`, "etcd.members", args.members, { parent: this });
        const statefulSet = createStatefulSet(name, args, members, tls, account, {
            ...object,
            ...keepsClaims,
            dependsOn: [...services, count],
        });
        this.ready = createMembers(name, args, this, statefulSet, { parent: this, deletedWith: args.context.cluster });
        this.registerOutputs({ hosts: this.hosts });
    }
}

interface Member {
    name: string;
    address: string;
}

const memberAddresses = ({ cluster, members, serviceCidr }: EtcdClusterArgs): Member[] =>
    Array.from({ length: members }, (_, index) => ({
        name: etcdMemberName(cluster, index),
        address: etcdMemberAddress(serviceCidr, index),
    }));

const setName = (cluster: string): string => `${cluster}-etcd`;

const metadata = metadataOf("etcd");

/** One certificate for all members, as server, as peer, and as the gateway's client of its own member. */
function createTls(
    name: string,
    args: EtcdClusterArgs,
    members: Member[],
    authority: CertificateAuthority,
    parent: pulumi.Resource,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.Secret {
    const certificate = new Certificate(
        `${name}-member`,
        {
            authority,
            commonName: `${args.cluster} etcd member`,
            dnsNames: ["localhost", ...members.map((member) => member.name)],
            ipAddresses: ["127.0.0.1", ...members.map((member) => member.address)],
            usages: ["server", "client"],
        },
        { parent },
    );
    return new kubernetes.core.v1.Secret(
        `${name}-tls`,
        {
            metadata: metadata(args, `${setName(args.cluster)}-tls`),
            stringData: tlsFiles(authority, certificate),
        },
        object,
    );
}

/** The members may read and create one kind of object: the marker that says the cluster was formed. */
function createMarkerAccess(
    name: string,
    args: EtcdClusterArgs,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.ServiceAccount {
    const account = new kubernetes.core.v1.ServiceAccount(
        `${name}-account`,
        { metadata: metadata(args, setName(args.cluster)) },
        object,
    );
    const role = new kubernetes.rbac.v1.Role(
        `${name}-marker`,
        {
            metadata: metadata(args, setName(args.cluster)),
            rules: [
                { apiGroups: [""], resources: ["configmaps"], resourceNames: [markerName(args)], verbs: ["get"] },
                { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
            ],
        },
        object,
    );
    new kubernetes.rbac.v1.RoleBinding(
        `${name}-marker`,
        {
            metadata: metadata(args, setName(args.cluster)),
            roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
            subjects: [{ kind: "ServiceAccount", name: setName(args.cluster), namespace: args.context.namespace }],
        },
        object,
    );
    return account;
}

const markerName = ({ cluster }: EtcdClusterArgs): string => `${setName(cluster)}-formed`;

function createStatefulSet(
    name: string,
    args: EtcdClusterArgs,
    members: Member[],
    tls: kubernetes.core.v1.Secret,
    account: kubernetes.core.v1.ServiceAccount,
    opts: pulumi.CustomResourceOptions,
): kubernetes.apps.v1.StatefulSet {
    const podLabels = labels(args.cluster, "etcd");
    const initialCluster = members.map((member) => `${member.name}=https://${member.address}:${ports.etcdPeer}`);
    const environment = {
        INITIAL_CLUSTER: initialCluster.join(","),
        CLUSTER_TOKEN: setName(args.cluster),
        DATA_DIR: "/data/etcd",
        TLS_DIR: "/tls",
        MARKER_CONFIGMAP: markerName(args),
        PATRONI_KEYS: keyPrefix(args.cluster),
        HEARTBEAT_MS: String(args.heartbeatMs),
        ELECTION_MS: String(args.electionMs),
        // 2 GiB: a database of leases and a few keys needs megabytes; the bound turns a leak into an alarm.
        QUOTA_BYTES: String(2 * 1024 ** 3),
    };
    const probe = (path: string) => ({ httpGet: { path, port: ports.etcdMetrics } });
    return new kubernetes.apps.v1.StatefulSet(
        `${name}-members`,
        {
            // EtcdMembers waits instead, as it restarts the pods.
            metadata: metadata(args, setName(args.cluster), skipAwait),
            spec: {
                serviceName: setName(args.cluster),
                replicas: args.members,
                // One after another would wait for a quorum that the first alone can never have.
                podManagementPolicy: "Parallel",
                // A rolling update does not look at members that are missing already (members.step.ts).
                updateStrategy: { type: "OnDelete" },
                selector: { matchLabels: podLabels },
                persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
                template: {
                    metadata: { labels: podLabels },
                    spec: {
                        serviceAccountName: account.metadata.name,
                        terminationGracePeriodSeconds: 10,
                        affinity: onePerNode(podLabels),
                        tolerations: stayForever,
                        securityContext: restrictedPod(998),
                        containers: [
                            {
                                name: "etcd",
                                ...ownImage(args.image),
                                env: [
                                    { name: "MEMBER_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                                    { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
                                    ...Object.entries(environment).map(([key, value]) => ({ name: key, value })),
                                ],
                                command: ["bash", "-c"],
                                args: [memberAddressScript(members)],
                                resources: resources(args.resources),
                                securityContext: restrictedContainer,
                                startupProbe: { ...probe("/livez"), periodSeconds: 2, failureThreshold: 900 },
                                readinessProbe: { ...probe("/readyz"), periodSeconds: 5, timeoutSeconds: 3 },
                                // Never on quorum: its loss would restart the members that are left.
                                livenessProbe: {
                                    ...probe("/livez"),
                                    periodSeconds: 10,
                                    timeoutSeconds: 5,
                                    failureThreshold: 6,
                                },
                                volumeMounts: [
                                    { name: "data", mountPath: "/data" },
                                    { name: "tls", mountPath: "/tls", readOnly: true },
                                    { name: "tmp", mountPath: "/tmp" },
                                ],
                            },
                        ],
                        volumes: [
                            { name: "tls", secret: { secretName: tls.metadata.name, defaultMode: 0o440 } },
                            { name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                        ],
                    },
                },
                volumeClaimTemplates: [
                    {
                        metadata: { name: "data" },
                        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: args.storage } } },
                    },
                ],
            },
        },
        opts,
    );
}

/** The member's own address by its ordinal: a StatefulSet's template is the same for all. */
const memberAddressScript = (members: Member[]): string =>
    `addresses=(${members.map(({ address }) => address).join(" ")}); ` +
    "export MEMBER_ADDRESS=${addresses[${MEMBER_NAME##*-}]}; exec start-member";

function createMembers(
    name: string,
    args: EtcdClusterArgs,
    { hosts, members }: EtcdCluster,
    { metadata: { uid, generation } }: kubernetes.apps.v1.StatefulSet,
    opts: pulumi.CustomResourceOptions,
): StepResource {
    const inputs: pulumi.Inputs = {
        cluster: args.cluster,
        namespace: args.context.namespace,
        set: setName(args.cluster),
        members,
        hosts,
        servers: args.servers.map(access),
        template: pulumi.interpolate`${uid}/${generation}`,
    };
    return new StepResource(
        "./components/etcd/members.step",
        "EtcdMembers",
        `${name}-ready`,
        inputs,
        pulumi.mergeOptions(opts, { additionalSecretOutputs: ["servers"] }),
    );
}
