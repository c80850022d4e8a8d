import type { Change } from "./diff";
import { isTrue, type PropertyMap } from "./values";

/** What is known of kinds without asking a cluster. */

const BUILT_IN_GROUPS = new Set([
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "auditregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
]);

const CLUSTER_SCOPED = new Set(
    (
        "APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding ClusterTrustBundle " +
        "ComponentStatus CustomResourceDefinition DeviceClass FlowSchema IPAddress IngressClass " +
        "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node " +
        "PersistentVolume PriorityClass PriorityLevelConfiguration ResourceSlice RuntimeClass SelfSubjectAccessReview " +
        "SelfSubjectReview SelfSubjectRulesReview ServiceCIDR StorageClass StorageVersionMigration SubjectAccessReview " +
        "TokenReview ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration " +
        "VolumeAttachment VolumeAttributesClass"
    ).split(" "),
);

export function groupOf(apiVersion: string): string {
    return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

/** Undefined for a custom resource: only its CRD can tell. */
export function knownNamespaced(apiVersion: string, kind: string): boolean | undefined {
    return BUILT_IN_GROUPS.has(groupOf(apiVersion)) ? !CLUSTER_SCOPED.has(kind) : undefined;
}

// What an API server refuses to change in place, as the official provider lists it. A path covers all below it; "*" is
// any position of an array.
const SELECTOR = ["spec.selector"];
const CONTAINER_FIELDS =
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin " +
    "stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir";
const POD_FIELDS =
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID " +
    "hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates " +
    "restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace " +
    "subdomain terminationGracePeriodSeconds volumes";
const VOLUME_SOURCES =
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath " +
    "iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume";

function under(prefix: string, fields: string): string[] {
    return fields.split(" ").map((field) => `${prefix}.${field}`);
}

const IMMUTABLE: Record<string, readonly string[]> = {
    "apps/Deployment": SELECTOR,
    "apps/DaemonSet": SELECTOR,
    "apps/StatefulSet": [
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ],
    "batch/Job": ["spec.completions", "spec.parallelism", "spec.selector", "spec.template"],
    "/PersistentVolume": under("spec", VOLUME_SOURCES),
    "/PersistentVolumeClaim": ["spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"],
    "/Pod": [
        ...under("spec", POD_FIELDS),
        ...under("spec.containers.*", CONTAINER_FIELDS),
        ...under("spec.initContainers.*", CONTAINER_FIELDS),
    ],
    "/ResourceQuota": ["spec.scopes"],
    "/Secret": ["type"],
    "/Service": ["spec.clusterIP"],
    "rbac.authorization.k8s.io/ClusterRoleBinding": ["roleRef"],
    "rbac.authorization.k8s.io/RoleBinding": ["roleRef"],
    "storage.k8s.io/StorageClass": ["parameters", "provisioner"],
};

export interface Mutability {
    readonly enableSecretMutable: boolean;
    readonly enableConfigMapMutable: boolean;
}

/** The paths whose change replaces this object. */
export function replacingPaths(object: PropertyMap, mutability: Mutability): readonly string[] {
    const always = ["metadata.name", "metadata.namespace"];
    const kind = `${groupOf(String(object.apiVersion))}/${String(object.kind)}`;
    const frozen = isTrue(object.immutable);
    if (kind === "/Secret" && (frozen || !mutability.enableSecretMutable)) {
        return [...always, "type", "stringData", "data"];
    }
    if (kind === "/ConfigMap" && (frozen || !mutability.enableConfigMapMutable)) {
        return [...always, "binaryData", "data"];
    }
    return [...always, ...(IMMUTABLE[kind] ?? [])];
}

export function isCovered(change: Change, paths: readonly string[]): boolean {
    return paths.some((path) => {
        const wanted = path.split(".");
        // A change above a path (all of `metadata` gone, say) changes what is below it too.
        return wanted.every((key, index) => index >= change.keys.length || key === change.keys[index]);
    });
}
