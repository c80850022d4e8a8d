import {
    CheckFailure,
    CheckResponse,
    type CheckRequest,
    type DiffRequest,
    type DiffResponse,
} from "@pulumi/pulumi/proto/provider_pb";
import { type Change, changesBetween, diffResponse } from "./diff";
import { introduce, KUBERNETES } from "./identity";
import { isOtherCluster } from "./kube-cluster";
import { fromStruct } from "./rpc";
import { isUnknown } from "./values";

const CLUSTER_KEYS = ["kubeconfig", "context", "cluster"];

/** The provider's own arguments: what a change of them means for everything it made. */
export function diffConfig(request: DiffRequest): DiffResponse {
    const before = fromStruct(request.getOldInputs() ?? request.getOlds());
    const after = fromStruct(request.getNews());
    const changes = changesBetween(before, after);
    const key = (change: Change): string => change.keys[0] ?? "";
    const kept = typeof after.clusterIdentifier === "string" && after.clusterIdentifier === before.clusterIdentifier;
    const computed = CLUSTER_KEYS.some((name) => isUnknown(after[name]));
    const moved = !kept && (computed || isOtherCluster(before, after));
    return diffResponse(changes, {
        forcesReplacement(change) {
            // Setting or removing the identifier is no move: it may come and go on a running stack.
            if (key(change) === "clusterIdentifier") return change.kind === "update";
            return moved && CLUSTER_KEYS.includes(key(change));
        },
    });
}

const ABSENT = ["renderYamlToDirectory", "helmReleaseSettings"];

export function checkConfig(request: CheckRequest): CheckResponse {
    const inputs = fromStruct(request.getNews());
    const response = new CheckResponse();
    response.setInputs(request.getNews());
    const failures = ABSENT.filter((name) => inputs[name] !== undefined).map((name) => {
        const failure = new CheckFailure();
        failure.setProperty(name);
        failure.setReason(`${introduce(KUBERNETES)} has no ${name}: leave it out or use the official plugin`);
        return failure;
    });
    response.setFailuresList(failures);
    return response;
}
