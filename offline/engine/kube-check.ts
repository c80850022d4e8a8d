import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { changesBetween, diffResponse } from "./diff";
import type { EngineLog } from "./engine-log";
import { introduce, KUBERNETES } from "./identity";
import type { Cluster } from "./kube-cluster";
import { ApiError } from "./kube-client";
import { isCovered, knownNamespaced, replacingPaths } from "./kube-kinds";
import {
    annotation,
    autoname,
    isAutonamed,
    isPatch,
    parseType,
    stateObject,
    urnName,
    withAutoname,
} from "./kube-objects";
import { fromStruct, toStruct } from "./rpc";
import { isTrue, isUnknown, pluck, pluckMap, pluckMaps, pluckText, type PropertyMap } from "./values";

async function isNamespaced(cluster: Cluster, apiVersion: string, kind: string): Promise<boolean> {
    const known = knownNamespaced(apiVersion, kind);
    if (known !== undefined) return known;
    if (await cluster.unreachable()) return true;
    const client = await cluster.client();
    // Its CRD may be part of this same update. Creation asks again and drops the namespace of a cluster-wide kind.
    return client.isNamespaced(apiVersion, kind).catch(() => true);
}

function proposedName(request: messages.CheckRequest): string {
    const options = request.getAutonaming();
    const seeded = autoname(request.getUrn(), request.getRandomseed_asU8());
    if (!options) return seeded;
    if (options.getMode() === messages.CheckRequest.AutonamingOptions.Mode.DISABLE) {
        throw new Error("autonaming is disabled: set metadata.name of this resource");
    }
    return options.getProposedName() || seeded;
}

function named(request: messages.CheckRequest, inputs: PropertyMap): PropertyMap {
    if (isUnknown(inputs.metadata) || pluck(inputs, "metadata", "name")) return inputs;
    if (pluck(inputs, "metadata", "generateName")) {
        throw new Error(
            "metadata.generateName is not supported with server-side apply: set metadata.name or leave both out",
        );
    }
    const olds = fromStruct(request.getOlds());
    const old = pluckText(olds, "metadata", "name");
    return withAutoname(inputs, old && isAutonamed(olds) ? old : proposedName(request));
}

export async function check(
    request: messages.CheckRequest,
    cluster: Cluster,
    log: EngineLog,
): Promise<messages.CheckResponse> {
    const urn = request.getUrn();
    const { kind } = parseType(urn);
    let inputs = fromStruct(request.getNews());
    const response = new messages.CheckResponse();
    const { apiVersion } = inputs;
    if (typeof apiVersion !== "string" || typeof inputs.kind !== "string") {
        const failure = new messages.CheckFailure();
        failure.setProperty("kind");
        failure.setReason(
            `${urnName(urn)} has no apiVersion and kind: ${introduce(KUBERNETES)} manages plain Kubernetes objects, ` +
                `not Helm, Kustomize or YAML resources; use the official plugin for those`,
        );
        response.setFailuresList([failure]);
        response.setInputs(toStruct(inputs));
        return response;
    }
    if (kind.endsWith("List") && Array.isArray(inputs.items)) {
        throw new Error(`${kind} cannot be created: declare each of its items as a resource of its own`);
    }
    if (cluster.config.skipUpdateUnreachable && (await cluster.unreachable())) {
        log.warn("the cluster is unreachable and skipUpdateUnreachable is set: this resource is left as it is", urn);
        response.setInputs(request.getOlds());
        return response;
    }
    if (isPatch(urn, inputs) && !pluck(inputs, "metadata", "name")) {
        throw new Error(`${kind} needs metadata.name: a Patch resource writes an object that exists`);
    }
    inputs = named(request, inputs);
    const metadata = pluckMap(inputs, "metadata");
    if (metadata && !metadata.namespace && (await isNamespaced(cluster, apiVersion, inputs.kind as string))) {
        inputs = { ...inputs, metadata: { ...metadata, namespace: cluster.namespace() } };
    }
    response.setInputs(toStruct(inputs));
    return response;
}

function isPodReplaceable(olds: PropertyMap, news: PropertyMap): boolean {
    return news.kind === "Job" && isTrue(annotation(news, "replaceUnready")) && olds.apiVersion !== undefined;
}

/** replaceUnready: a Job that did not complete is made anew. */
async function unreadyJob(cluster: Cluster, state: PropertyMap, news: PropertyMap): Promise<string[]> {
    if (!isPodReplaceable(state, news) || (await cluster.unreachable())) return [];
    const client = await cluster.client();
    const live = await client.get(stateObject(state)).catch((error: unknown) => {
        if (error instanceof ApiError) return undefined;
        throw error;
    });
    if (!live) return [];
    const complete = pluckMaps(live, "status", "conditions").some(
        (entry) => entry.type === "Complete" && entry.status === "True",
    );
    return complete ? [] : ['metadata.annotations["pulumi.com/replaceUnready"]'];
}

function withoutIgnored(paths: readonly string[], changed: string): boolean {
    return !paths.some((path) => changed === path || changed.startsWith(`${path}.`) || changed.startsWith(`${path}[`));
}

export async function diff(request: messages.DiffRequest, cluster: Cluster): Promise<messages.DiffResponse> {
    const state = fromStruct(request.getOlds());
    const olds = fromStruct(request.getOldInputs());
    const news = fromStruct(request.getNews());
    const ignored = request.getIgnorechangesList();
    const changes = changesBetween(olds, news).filter((change) => withoutIgnored(ignored, change.path));
    const paths = isPatch(request.getUrn(), news)
        ? ["metadata.name", "metadata.namespace"]
        : replacingPaths(news, cluster.config);
    const place = (object: PropertyMap): string =>
        `${pluckText(object, "metadata", "namespace") ?? "default"}/${pluckText(object, "metadata", "name")}`;
    return diffResponse(changes, {
        forcesReplacement: (change) => isCovered(change, paths),
        furtherReplaces: await unreadyJob(cluster, state, news),
        // Two objects cannot have one name; an autonamed one gets a new name instead.
        deleteBeforeReplace: () => !isAutonamed(news) && place(news) === place(state),
    });
}
