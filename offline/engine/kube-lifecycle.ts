import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { awaitGone, awaitReady, chosenRule, judgeNow, timeoutSeconds, type Waiting } from "./await";
import { skipsAwait } from "./await-rules";
import type { EngineLog } from "./engine-log";
import type { Cluster } from "./kube-cluster";
import { ApiError, type KubeObject, NoKind, Unreachable } from "./kube-client";
import { driftedInputs } from "./kube-drift";
import {
    annotation,
    fieldManagerOf,
    importedInputs,
    initialApiVersionOf,
    isPatch,
    objectId,
    parseId,
    parseType,
    stateObject,
    toServer,
    toState,
} from "./kube-objects";
import { createObject, relinquish, updateObject, type Write } from "./kube-write";
import { fromStruct, ResourceInitFailed, toStruct } from "./rpc";
import { hasUnknown, isMap, type PropertyMap } from "./values";

const GONE_HINT =
    'If the cluster was deleted, rerun with the environment variable PULUMI_K8S_DELETE_UNREACHABLE="true" to drop its ' +
    "resources from the state.";

/** Create, read, update and delete of one object each. */
export class KubeLifecycle {
    private warnedUnreachable = false;

    constructor(
        private readonly cluster: Cluster,
        private readonly log: EngineLog,
        private readonly cancelled: AbortSignal,
    ) {}

    async create(request: messages.CreateRequest): Promise<messages.CreateResponse> {
        const urn = request.getUrn();
        const inputs = fromStruct(request.getProperties());
        const response = new messages.CreateResponse();
        const manager = fieldManagerOf(inputs, {});
        if (request.getPreview()) {
            const live = await this.previewed(urn, inputs, (write) => createObject({ ...write, manager }));
            response.setProperties(
                live ? toStruct(withoutStatus(toState(live, manager, live.apiVersion))) : request.getProperties(),
            );
            return response;
        }
        const write = await this.write(urn, inputs, manager, false);
        const created = await createObject(write);
        const live = await this.ready(urn, inputs, created, manager, request.getTimeout(), true);
        response.setId(objectId(live));
        response.setProperties(toStruct(toState(live, manager, created.apiVersion)));
        return response;
    }

    async update(request: messages.UpdateRequest): Promise<messages.UpdateResponse> {
        const urn = request.getUrn();
        const inputs = fromStruct(request.getNews());
        const state = fromStruct(request.getOlds());
        const manager = fieldManagerOf(inputs, state);
        const apiVersion = initialApiVersionOf(state, inputs);
        const response = new messages.UpdateResponse();
        if (request.getPreview()) {
            const live = await this.previewed(urn, inputs, (write) => updateObject({ ...write, manager }));
            response.setProperties(live ? toStruct(toState(live, manager, apiVersion)) : request.getNews());
            return response;
        }
        const updated = await updateObject(await this.write(urn, inputs, manager, false));
        const live = await this.ready(urn, inputs, updated, manager, request.getTimeout(), false);
        response.setProperties(toStruct(toState(live, manager, apiVersion)));
        return response;
    }

    async read(request: messages.ReadRequest): Promise<messages.ReadResponse> {
        const urn = request.getUrn();
        const inputs = fromStruct(request.getInputs());
        const state = fromStruct(request.getProperties());
        const known = typeof inputs.kind === "string" ? inputs : state;
        const named = parseId(request.getId());
        const type = typeof known.kind === "string" ? (known as { apiVersion: string; kind: string }) : parseType(urn);
        const object = { apiVersion: type.apiVersion, kind: type.kind, metadata: named };
        const reason = await this.cluster.unreachable();
        if (reason) return this.readUnreachable(request, reason);

        const client = await this.cluster.client();
        const live = await client.get(object).catch((error: unknown) => {
            if (error instanceof NoKind || (error instanceof ApiError && error.status === 404)) return undefined;
            throw error;
        });
        if (!live) return new messages.ReadResponse();
        const found = typeof inputs.kind === "string" ? driftedInputs(inputs, live) : importedInputs(live);
        const kept = toState(live, fieldManagerOf(inputs, state), initialApiVersionOf(state, inputs));
        const rule = typeof inputs.kind === "string" ? chosenRule(inputs, live) : undefined;
        const outcome = rule?.judgedOnRead ? await judgeNow(rule, live, client) : undefined;
        if (outcome && outcome.problems.length > 0) {
            throw new ResourceInitFailed(request.getId(), kept, found, [...outcome.problems]);
        }
        const response = new messages.ReadResponse();
        response.setId(request.getId());
        response.setProperties(toStruct(kept));
        response.setInputs(toStruct(found));
        return response;
    }

    async delete(request: messages.DeleteRequest): Promise<void> {
        const urn = request.getUrn();
        const state = fromStruct(request.getProperties());
        const inputs = fromStruct(request.getOldInputs());
        const options = Object.keys(inputs).length > 0 ? inputs : state;
        const object = stateObject(state);
        const reason = await this.cluster.unreachable();
        if (reason) {
            if (!this.cluster.config.deleteUnreachable) {
                throw new Unreachable(`configured Kubernetes cluster is unreachable: ${reason}. ${GONE_HINT}`);
            }
            this.log.warn(
                `the cluster is unreachable and deleteUnreachable is set: dropped from the state (${reason})`,
                urn,
            );
            return;
        }
        const client = await this.cluster.client();
        try {
            if (isPatch(urn, options)) {
                await relinquish(client, object, fieldManagerOf(options, state));
                return;
            }
            await client.remove(object, propagationPolicy(options));
            if (skipsAwait(options) && SKIPS_DELETION.has(object.kind)) return;
            await awaitGone(object, this.waiting(urn, client, request.getTimeout(), options));
            this.log.clearStatus(urn);
        } catch (error) {
            if (error instanceof NoKind || (error instanceof ApiError && error.status === 404)) return;
            // The name belongs to a newer object now: what is to be deleted is gone.
            if (error instanceof ApiError && error.status === 409 && /uid/i.test(error.message)) return;
            throw error;
        }
    }

    /** The server's answer to a dry run, or nothing where it cannot be asked. */
    private async previewed(
        urn: string,
        inputs: PropertyMap,
        attempt: (write: Write) => Promise<KubeObject>,
    ): Promise<KubeObject | undefined> {
        const reason = await this.cluster.unreachable();
        if (reason) {
            if (!this.warnedUnreachable) this.log.warn(`previewed without the cluster: ${reason}`);
            this.warnedUnreachable = true;
            return undefined;
        }
        if (hasUnknown(inputs) || isPatch(urn, inputs)) return undefined;
        try {
            return await attempt(await this.write(urn, inputs, "", true));
        } catch (error) {
            if (error instanceof Unreachable || error instanceof NoKind) return undefined;
            if (error instanceof ApiError && isExpectedInPreview(error)) return undefined;
            if (error instanceof Error && error.message.includes("already exists")) return undefined;
            throw error;
        }
    }

    private async write(urn: string, inputs: PropertyMap, manager: string, preview: boolean): Promise<Write> {
        return {
            client: await this.cluster.client(),
            object: toServer(inputs),
            manager,
            policy: this.cluster.config,
            isPatch: isPatch(urn, inputs),
            preview,
            cancelled: this.cancelled,
            say: (status) => this.log.status(status, urn),
        };
    }

    private waiting(urn: string, client: Waiting["client"], custom: number, inputs: PropertyMap): Waiting {
        return {
            client,
            timeoutSeconds: timeoutSeconds(custom, inputs),
            cancelled: this.cancelled,
            say: (status) => this.log.status(status, urn),
        };
    }

    private async ready(
        urn: string,
        inputs: PropertyMap,
        first: KubeObject,
        manager: string,
        custom: number,
        creating: boolean,
    ): Promise<KubeObject> {
        const failed = (live: KubeObject, reasons: readonly string[]): ResourceInitFailed => {
            const state = toState(live, manager, first.apiVersion);
            return new ResourceInitFailed(objectId(live), state, inputs, [
                `${live.kind} "${objectId(live)}" was ${creating ? "created" : "updated"}, but did not become ready`,
                ...reasons,
            ]);
        };
        let live = first;
        try {
            const rule = chosenRule(inputs, first);
            if (!rule) return first;
            const client = await this.cluster.client();
            const outcome = await awaitReady(rule, first, creating, this.waiting(urn, client, custom, inputs));
            live = outcome.live;
            if (outcome.problems.length > 0) throw failed(live, outcome.problems);
            this.log.clearStatus(urn);
            return live;
        } catch (error) {
            // The object exists whatever went wrong while waiting: its state must not be lost.
            throw error instanceof ResourceInitFailed ? error : failed(live, [(error as Error).message]);
        }
    }

    private readUnreachable(request: messages.ReadRequest, reason: string): messages.ReadResponse {
        const urn = request.getUrn();
        const { deleteUnreachable, skipUpdateUnreachable } = this.cluster.config;
        if (deleteUnreachable) {
            this.log.warn(
                `the cluster is unreachable and deleteUnreachable is set: dropped from the state (${reason})`,
                urn,
            );
            return new messages.ReadResponse();
        }
        if (!skipUpdateUnreachable) {
            throw new Unreachable(`failed to read resource state due to unreachable cluster: ${reason}. ${GONE_HINT}`);
        }
        this.log.warn(`the cluster is unreachable and skipUpdateUnreachable is set: the state may be out of date`, urn);
        const response = new messages.ReadResponse();
        response.setId(request.getId());
        response.setProperties(request.getProperties());
        response.setInputs(request.getInputs());
        return response;
    }
}

// The kinds whose deletion the official provider does not wait for when told to skip.
const SKIPS_DELETION = new Set("DaemonSet Deployment Job Namespace Pod ReplicationController StatefulSet".split(" "));

function isExpectedInPreview(error: ApiError): boolean {
    // Its namespace, or what is to be deleted first, is part of this same update; or a dry run is not allowed.
    if (error.status === 404 || error.status === 403 || error.reason === "AlreadyExists") return true;
    return error.status === 400 && /dry ?run/i.test(error.message);
}

function propagationPolicy(inputs: PropertyMap): string {
    const wanted = annotation(inputs, "deletionPropagationPolicy")?.toLowerCase();
    if (wanted === "orphan") return "Orphan";
    return wanted === "background" ? "Background" : "Foreground";
}

function withoutStatus(state: PropertyMap): PropertyMap {
    // Left out, it is unknown to the program; a dry run's status would be taken for real.
    return isMap(state.status) ? { ...state, status: undefined } : state;
}
