import { READY, type Rule, statusNumber, waiting } from "./await-rule";
import { daemonSet, deployment, job, pod, statefulSet } from "./await-workloads";
import type { KubeObject } from "./kube-client";
import { isTrue, pluckMap, pluckMaps, pluckNumber, pluckText, type PropertyMap } from "./values";

const persistentVolumeClaim: Rule = {
    judgedOnRead: false,
    wants(live) {
        const name = pluckText(live, "spec", "storageClassName");
        return name ? [{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", name, clusterScoped: true }] : [];
    },
    judge(live, { related, creating }) {
        const phase = pluckText(live, "status", "phase") ?? "Pending";
        if (phase === "Bound") return READY;
        const late = related.StorageClass?.[0]?.volumeBindingMode === "WaitForFirstConsumer";
        // Such a claim is bound when its first pod comes, which may be part of this very update.
        return late && phase === "Pending"
            ? READY
            : waiting(`phase ${phase}`, [`the claim is not bound${creating ? "" : " any more"}`]);
    },
};

const persistentVolume: Rule = {
    judgedOnRead: false,
    judge(live) {
        const phase = pluckText(live, "status", "phase") ?? "Pending";
        return phase === "Available" || phase === "Bound" ? READY : waiting(`phase ${phase}`);
    },
};

// Endpoints come one by one; the official provider calls them complete after as long without a change.
const SETTLED_SECONDS = 10;

const service: Rule = {
    judgedOnRead: true,
    wants: (live) => [{ apiVersion: "v1", kind: "Endpoints", name: String(live.metadata.name) }],
    judge(live, { related, quietSeconds }) {
        const balancer = pluckText(live, "spec", "type") === "LoadBalancer";
        const addressed = !balancer || pluckMaps(live, "status", "loadBalancer", "ingress").length > 0;
        const noAddress = waiting("waiting for a load balancer address", [
            "Service was not allocated an IP address; does your cloud provider support this?",
        ]);
        const external = pluckText(live, "spec", "type") === "ExternalName";
        const headless = pluckText(live, "spec", "clusterIP") === "None";
        const unselective = Object.keys(pluckMap(live, "spec", "selector") ?? {}).length === 0;
        if (external || headless || unselective) return addressed ? READY : noAddress;
        const subsets = (related.Endpoints ?? []).flatMap((endpoints) => pluckMaps(endpoints, "subsets"));
        const pending = subsets.some((subset) => pluckMaps(subset, "notReadyAddresses").length > 0);
        const exists = (related.Endpoints ?? []).length > 0;
        if (addressed && exists && !pending && quietSeconds >= SETTLED_SECONDS) return READY;
        if (!addressed) return noAddress;
        const problems = [
            "Service does not target any Pods. Selected Pods may not be ready, or its selector matches none",
        ];
        return { ready: false, status: "finding pods to direct traffic to", problems, acceptAtTimeout: !pending };
    },
};

const ingress: Rule = {
    judgedOnRead: true,
    judge: (live) =>
        pluckMaps(live, "status", "loadBalancer", "ingress").length > 0
            ? READY
            : waiting("waiting for .status.loadBalancer with a host name or address"),
};

const replicationController: Rule = {
    judgedOnRead: false,
    judge(live) {
        const want = pluckNumber(live, "spec", "replicas") ?? 1;
        const have = statusNumber(live, "availableReplicas");
        return have === want ? READY : waiting(`${have}/${want} replicas available`);
    },
};

const resourceQuota: Rule = {
    judgedOnRead: false,
    judge(live) {
        const sorted = (map: PropertyMap | undefined): string => JSON.stringify(Object.entries(map ?? {}).sort());
        const same = sorted(pluckMap(live, "spec", "hard")) === sorted(pluckMap(live, "status", "hard"));
        return same ? READY : waiting("waiting for the quota to be counted");
    },
};

const secret: Rule = {
    judgedOnRead: false,
    judge: (live) =>
        live.type !== "kubernetes.io/service-account-token" || Object.keys(pluckMap(live, "data") ?? {}).length > 0
            ? READY
            : waiting("waiting for the token"),
};

const RULES: Record<string, Rule> = {
    "apps/v1/DaemonSet": daemonSet,
    "apps/v1/Deployment": deployment,
    "apps/v1/StatefulSet": statefulSet,
    "batch/v1/Job": job,
    "networking.k8s.io/v1/Ingress": ingress,
    "v1/PersistentVolume": persistentVolume,
    "v1/PersistentVolumeClaim": persistentVolumeClaim,
    "v1/Pod": pod,
    "v1/ReplicationController": replicationController,
    "v1/ResourceQuota": resourceQuota,
    "v1/Secret": secret,
    "v1/Service": service,
};

/** All other kinds are ready as soon as they exist. */
export function ruleFor(object: KubeObject): Rule | undefined {
    return RULES[`${object.apiVersion}/${object.kind}`];
}

export function skipsAwait(inputs: PropertyMap): boolean {
    return isTrue(pluckMap(inputs, "metadata", "annotations")?.["pulumi.com/skipAwait"]);
}
