import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { labels } from "./naming";

/** What the pods of a database component share: where they run and as whom. */
type PodSpec = kubernetes.types.input.core.v1.PodSpec;
type Toleration = kubernetes.types.input.core.v1.Toleration;

/** Everything a component needs to put workloads into the cluster. */
export interface WorkloadContext {
    provider: kubernetes.Provider;
    namespace: pulumi.Input<string>;
    /** Deleting the cluster deletes its objects: with it they are not deleted one by one. */
    cluster: pulumi.Resource;
    /** What holds data is neither deleted nor replaced. */
    protectData: boolean;
}

/**
 * Options of every object inside the cluster. When another cluster answers (every machine was lost) all are replaced, and
 * with the same access: deleted afterwards, the new ones would be.
 */
export function inCluster(parent: pulumi.Resource, context: WorkloadContext): pulumi.CustomResourceOptions {
    return { parent, provider: context.provider, deletedWith: context.cluster, deleteBeforeReplace: true };
}

/**
 * Options of what the data goes with when it is deleted. An update that would delete or replace it is refused, before
 * anything is touched; taken out of the program after that, it stays in the cluster.
 */
export const holdsData = ({ protectData }: Pick<WorkloadContext, "protectData">): pulumi.CustomResourceOptions =>
    protectData ? { protect: true, retainOnDelete: true } : {};

/**
 * Options of a set with volumes. A changed claim template would replace it, all pods at once, and give no volume another
 * size: claims outlive the set. It keeps the template it was made with.
 */
export const keepsClaims: pulumi.CustomResourceOptions = { ignoreChanges: ["spec.volumeClaimTemplates"] };

/**
 * An image of the stack's own. The program puts it on the nodes; it is never looked for in a registry, where its name may
 * belong to anybody.
 */
export const ownImage = (reference: string): { image: string; imagePullPolicy: "Never" } => ({
    image: reference,
    imagePullPolicy: "Never",
});

/**
 * By whom objects are applied. The provider would invent a name for each: an object taken over from an interrupted run then
 * has two owners for good, and what the program leaves out later stays.
 */
export const applied = { "pulumi.com/patchFieldManager": "postgres-ha" } as const;

/** For what is waited for elsewhere than in the provider. */
export const skipAwait = { "pulumi.com/skipAwait": "true" } as const;

/** Metadata of the objects of one part of the cluster. */
export const metadataOf =
    (part: string) =>
    ({ cluster, context }: { cluster: string; context: WorkloadContext }, name: string, annotations = {}) => ({
        name,
        namespace: context.namespace,
        labels: labels(cluster, part),
        annotations: { ...applied, ...annotations },
    });

/** Pods bound to a local volume can run nowhere else: they stay through any loss of their node. */
export const stayForever: Toleration[] = [
    { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
    { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
];

/** At most one per node. */
export const onePerNode = (matchLabels: Record<string, string>): PodSpec["affinity"] => ({
    podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels }, topologyKey: "kubernetes.io/hostname" },
        ],
    },
});

/** Pod part of the restricted pod security level, and what a pod has beside it. */
export const restrictedPod = (
    id: number,
    more: kubernetes.types.input.core.v1.PodSecurityContext = {},
): PodSpec["securityContext"] => ({
    ...more,
    runAsNonRoot: true,
    runAsUser: id,
    runAsGroup: id,
    fsGroup: id,
    // A recursive chown of a large data directory would take minutes at every start.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
});

/** Container part of the restricted pod security level. */
export const restrictedContainer: kubernetes.types.input.core.v1.SecurityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
};

export interface Resources {
    /** CPU request in Kubernetes units. No limit: throttling a member stalls its heartbeats. */
    cpu: string;
    /** Memory request and limit. */
    memory: string;
}

export const resources = ({ cpu, memory }: Resources): kubernetes.types.input.core.v1.ResourceRequirements => ({
    requests: { cpu, memory },
    limits: { memory },
});
