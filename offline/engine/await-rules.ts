import type { KubeObject } from "./kube-client";
import { isTrue, pluck, pluckMap, pluckMaps, pluckNumber, pluckText, type PropertyMap } from "./values";

/** When is an object ready? One rule a kind, as the official provider has them. Pure: what they need is handed in. */
export type Verdict =
    | { readonly ready: true }
    | {
          readonly ready: false;
          /** Shown while waiting. */
          readonly status: string;
          /** Said when the wait fails; the status, without. */
          readonly problems?: readonly string[];
          /** It will never be ready: waiting on is pointless. */
          readonly final?: boolean;
          /** Good enough when time is up. */
          readonly acceptAtTimeout?: boolean;
      };

export interface Circumstances {
    /** What the rule asked for, by kind. */
    readonly related: Readonly<Record<string, readonly KubeObject[]>>;
    /** Seconds since a related object last changed. */
    readonly quietSeconds: number;
    readonly creating: boolean;
}

export interface Wanted {
    readonly apiVersion: string;
    readonly kind: string;
    /** One by name, else all with these labels. */
    readonly name?: string;
    readonly labels?: PropertyMap;
    readonly clusterScoped?: boolean;
}

export interface Rule {
    readonly wants?: (live: KubeObject) => Wanted[];
    readonly judge: (live: KubeObject, circumstances: Circumstances) => Verdict;
    /** A refresh reports an object that is not ready. */
    readonly judgedOnRead: boolean;
}

const READY: Verdict = { ready: true };

function waiting(status: string, problems?: readonly string[]): Verdict {
    return { ready: false, status, problems };
}

export function condition(object: PropertyMap, type: string): PropertyMap | undefined {
    return pluckMaps(object, "status", "conditions").find((entry) => entry.type === type);
}

function conditionHolds(object: PropertyMap, type: string): boolean {
    return condition(object, type)?.status === "True";
}

function isObserved(live: KubeObject): boolean {
    const observed = pluckNumber(live, "status", "observedGeneration");
    return observed !== undefined && observed >= (pluckNumber(live, "metadata", "generation") ?? 0);
}

function statusNumber(live: KubeObject, field: string): number {
    return pluckNumber(live, "status", field) ?? 0;
}

const NOT_OBSERVED = "waiting for the controller to see this generation";
const REVISION = "deployment.kubernetes.io/revision";

function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
    return pluckMaps(object, "metadata", "ownerReferences").some((entry) => entry.uid === owner.metadata.uid);
}

const deployment: Rule = {
    judgedOnRead: true,
    wants: (live) => [
        { apiVersion: "apps/v1", kind: "ReplicaSet", labels: pluckMap(live, "spec", "selector", "matchLabels") },
    ],
    judge(live, { related }) {
        const revision = pluckText(live, "metadata", "annotations", REVISION);
        const current = (related.ReplicaSet ?? []).find(
            (set) => isOwnedBy(set, live) && pluckText(set, "metadata", "annotations", REVISION) === revision,
        );
        if (!isObserved(live) || !revision || !current) return waiting(NOT_OBSERVED);
        const want = pluckNumber(current, "spec", "replicas") ?? 1;
        const have = statusNumber(current, "readyReplicas");
        const progressing = condition(live, "Progressing");
        const rolledOut = progressing?.status === "True" && progressing.reason === "NewReplicaSetAvailable";
        const available = conditionHolds(live, "Available");
        // The first revision is created, not rolled out to.
        if (available && have >= want && (revision === "1" || rolledOut)) return READY;
        const complaints = [progressing, condition(live, "Available")]
            .filter((entry) => entry?.status === "False")
            .map((entry) => `[${String(entry?.reason)}] ${String(entry?.message)}`);
        const status = `${have}/${want} replicas ready`;
        return waiting(status, [status, ...complaints]);
    },
};

const statefulSet: Rule = {
    judgedOnRead: true,
    judge(live) {
        const want = pluckNumber(live, "spec", "replicas") ?? 1;
        const ready = statusNumber(live, "readyReplicas");
        const status = `${isObserved(live) ? ready : 0}/${want} replicas ready`;
        if (!isObserved(live)) return waiting(status, [NOT_OBSERVED]);
        const counted = statusNumber(live, "replicas") === want && ready === want;
        const [current, target] = [
            pluckText(live, "status", "currentRevision"),
            pluckText(live, "status", "updateRevision"),
        ];
        // With OnDelete a person or an operator replaces the pods, maybe much later: no revision is awaited.
        const byHand = pluckText(live, "spec", "updateStrategy", "type") === "OnDelete";
        if (byHand && (pluckNumber(live, "metadata", "generation") ?? 0) > 1) {
            return counted ? READY : waiting(status, [`${ready} out of ${want} replicas succeeded readiness checks`]);
        }
        const revised = current !== undefined && current !== "" && current === target;
        if (counted && revised && statusNumber(live, "currentReplicas") === want) return READY;
        const problems = [
            ...(counted ? [] : [`${ready} out of ${want} replicas succeeded readiness checks`]),
            ...(revised
                ? []
                : [`the controller has not got from revision "${current ?? ""}" to revision "${target ?? ""}"`]),
        ];
        const updated = Math.min(ready, statusNumber(live, "updatedReplicas"));
        return waiting(revised ? status : `${status}, ${updated}/${want} updated`, problems);
    },
};

const daemonSet: Rule = {
    judgedOnRead: true,
    judge(live) {
        if (!isObserved(live)) return waiting(NOT_OBSERVED);
        const want = pluckNumber(live, "status", "desiredNumberScheduled");
        if (want === undefined) return waiting("waiting for the number of nodes to run on");
        const steps: [string, string][] = [
            ["currentNumberScheduled", "scheduled"],
            ["updatedNumberScheduled", "updated"],
            ["numberAvailable", "available"],
            ["numberReady", "ready"],
        ];
        const short = steps.find(([field]) => statusNumber(live, field) < want);
        return short ? waiting(`${statusNumber(live, short[0])}/${want} pods ${short[1]}`) : READY;
    },
};

const job: Rule = {
    judgedOnRead: true,
    judge(live) {
        const failed = condition(live, "Failed");
        if (failed?.status === "True") {
            const status = `[${String(failed.reason)}] ${String(failed.message)}`;
            return { ready: false, status, problems: [status], final: true };
        }
        if (conditionHolds(live, "Complete") && pluck(live, "status", "startTime") !== undefined) return READY;
        const counts = ["active", "succeeded", "failed"].map((field) => `${field}: ${statusNumber(live, field)}`);
        return waiting(`waiting for the job to succeed (${counts.join(", ")})`);
    },
};

const pod: Rule = {
    judgedOnRead: true,
    judge(live) {
        const succeeded = pluckText(live, "status", "phase") === "Succeeded";
        if (!conditionHolds(live, "PodScheduled")) return waiting("waiting to be scheduled");
        if (!conditionHolds(live, "Initialized")) return waiting("waiting to be initialized");
        return succeeded || conditionHolds(live, "Ready") ? READY : waiting("waiting to be ready");
    },
};

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
