import { condition, conditionHolds, READY, type Rule, statusNumber, waiting } from "./await-rule";
import type { KubeObject } from "./kube-client";
import { pluck, pluckMap, pluckMaps, pluckNumber, pluckText } from "./values";

/** Rules of what runs pods. */

function isObserved(live: KubeObject): boolean {
    const observed = pluckNumber(live, "status", "observedGeneration");
    return observed !== undefined && observed >= (pluckNumber(live, "metadata", "generation") ?? 0);
}

const NOT_OBSERVED = "waiting for the controller to see this generation";
const REVISION = "deployment.kubernetes.io/revision";

function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
    return pluckMaps(object, "metadata", "ownerReferences").some((entry) => entry.uid === owner.metadata.uid);
}

export const deployment: Rule = {
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

export const statefulSet: Rule = {
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

export const daemonSet: Rule = {
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

export const job: Rule = {
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

export const pod: Rule = {
    judgedOnRead: true,
    judge(live) {
        const succeeded = pluckText(live, "status", "phase") === "Succeeded";
        if (!conditionHolds(live, "PodScheduled")) return waiting("waiting to be scheduled");
        if (!conditionHolds(live, "Initialized")) return waiting("waiting to be initialized");
        return succeeded || conditionHolds(live, "Ready") ? READY : waiting("waiting to be ready");
    },
};
