import * as http from "node:http";
import * as https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "./kubeconfig";
import { isMap, pluckMaps, pluckText, type PropertyMap } from "./values";

/** The API server answered with an error. */
export class ApiError extends Error {
    readonly reason: string;

    constructor(
        readonly status: number,
        readonly body: PropertyMap,
        request: string,
    ) {
        super(`${request}: ${pluckText(body, "message") ?? `HTTP ${status}`}`);
        this.reason = pluckText(body, "reason") ?? "";
    }
}

/** The API server did not answer at all. */
export class Unreachable extends Error {}

/** The cluster does not know the kind: its CRD is not there (yet, or any more). */
export class NoKind extends Error {}

export interface KubeObject extends PropertyMap {
    apiVersion: string;
    kind: string;
    metadata: PropertyMap;
}

interface Mapping {
    readonly root: string;
    readonly plural: string;
    readonly namespaced: boolean;
}

export interface WriteOptions {
    readonly manager: string;
    readonly dryRun?: boolean;
}

const REQUEST_TIMEOUT_MILLISECONDS = 30_000;
// Nothing was sent, so any request may be tried again; an API server behind a restarting node comes back quickly.
const NOT_CONNECTED = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"]);
const CONNECT_RETRY_MILLISECONDS = [200, 800, 2000];

export function objectName(object: KubeObject): string {
    return pluckText(object, "metadata", "name") ?? "";
}

export function objectNamespace(object: KubeObject): string | undefined {
    return pluckText(object, "metadata", "namespace");
}

/** A small client of the Kubernetes REST API: one connection pool, JSON both ways. */
export class KubeClient {
    private readonly base: URL;
    private readonly agent: http.Agent;
    private readonly mappings = new Map<string, Mapping>();

    constructor(private readonly connection: Connection) {
        this.base = new URL(connection.server);
        const pool = { keepAlive: true, maxSockets: 16 };
        this.agent =
            this.base.protocol === "http:"
                ? new http.Agent(pool)
                : new https.Agent({
                      ...pool,
                      ca: connection.authority,
                      cert: connection.certificate,
                      key: connection.key,
                      servername: connection.serverName,
                      rejectUnauthorized: connection.verify,
                  });
    }

    get server(): string {
        return this.connection.server;
    }

    async get(object: KubeObject): Promise<KubeObject> {
        return this.request("GET", await this.path(object)) as Promise<KubeObject>;
    }

    async create(object: KubeObject, { manager, dryRun }: WriteOptions): Promise<KubeObject> {
        const query = new URLSearchParams({ fieldManager: manager, ...(dryRun ? { dryRun: "All" } : {}) });
        const sent = await this.scoped(object);
        return this.request("POST", `${await this.collection(sent)}?${query}`, sent) as Promise<KubeObject>;
    }

    async apply(object: KubeObject, options: WriteOptions & { force: boolean }): Promise<KubeObject> {
        const query = new URLSearchParams({
            fieldManager: options.manager,
            force: String(options.force),
            ...(options.dryRun ? { dryRun: "All" } : {}),
        });
        const sent = await this.scoped(object);
        const path = `${await this.path(sent)}?${query}`;
        return this.request("PATCH", path, sent, "application/apply-patch+yaml") as Promise<KubeObject>;
    }

    async jsonPatch(object: KubeObject, patch: readonly PropertyMap[]): Promise<KubeObject> {
        const path = await this.path(object);
        return this.request("PATCH", path, patch, "application/json-patch+json") as Promise<KubeObject>;
    }

    /** With the uid, a stale delete cannot remove a newer object of the same name: the server answers 409. */
    async remove(object: KubeObject, propagationPolicy: string): Promise<void> {
        const uid = pluckText(object, "metadata", "uid");
        await this.request("DELETE", await this.path(object), {
            apiVersion: "v1",
            kind: "DeleteOptions",
            propagationPolicy,
            ...(uid ? { preconditions: { uid } } : {}),
        });
    }

    async list(apiVersion: string, kind: string, namespace: string | undefined, selector = ""): Promise<KubeObject[]> {
        const path = await this.collection({ apiVersion, kind, metadata: { namespace } });
        const query = selector ? `?${new URLSearchParams({ labelSelector: selector })}` : "";
        return pluckMaps(await this.request("GET", path + query), "items") as KubeObject[];
    }

    /** Asks once whether the server is there. */
    async ping(): Promise<void> {
        await this.request("GET", "/version").catch((error: unknown) => {
            // An answer is an answer: an anonymous or restricted user may not see /version.
            if (!(error instanceof ApiError)) throw error;
        });
    }

    async isNamespaced(apiVersion: string, kind: string): Promise<boolean> {
        return (await this.mapping(apiVersion, kind)).namespaced;
    }

    private async mapping(apiVersion: string, kind: string): Promise<Mapping> {
        const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
        const known = this.mappings.get(`${root} ${kind}`);
        if (known) return known;
        const list = await this.request("GET", root).catch((error: unknown) => {
            if (error instanceof ApiError && error.status === 404) return {};
            throw error;
        });
        for (const resource of pluckMaps(list, "resources")) {
            const plural = String(resource.name);
            if (plural.includes("/")) continue;
            this.mappings.set(`${root} ${String(resource.kind)}`, {
                root,
                plural,
                namespaced: resource.namespaced === true,
            });
        }
        const found = this.mappings.get(`${root} ${kind}`);
        if (!found) throw new NoKind(`no matches for kind "${kind}" in version "${apiVersion}"`);
        return found;
    }

    // A custom resource is taken for namespaced before its CRD is there; the server's word is final.
    private async scoped(object: KubeObject): Promise<KubeObject> {
        const mapping = await this.mapping(object.apiVersion, object.kind);
        if (mapping.namespaced || object.metadata.namespace === undefined) return object;
        const { namespace: _dropped, ...metadata } = object.metadata;
        return { ...object, metadata };
    }

    private async collection(object: KubeObject): Promise<string> {
        const mapping = await this.mapping(object.apiVersion, object.kind);
        const namespace = mapping.namespaced ? `/namespaces/${objectNamespace(object) ?? "default"}` : "";
        return `${mapping.root}${namespace}/${mapping.plural}`;
    }

    private async path(object: KubeObject): Promise<string> {
        return `${await this.collection(object)}/${encodeURIComponent(objectName(object))}`;
    }

    private async request(
        method: string,
        path: string,
        body?: unknown,
        type = "application/json",
    ): Promise<PropertyMap> {
        for (let attempt = 0; ; attempt += 1) {
            try {
                return await this.requestOnce(method, path, body, type);
            } catch (error) {
                const wait = CONNECT_RETRY_MILLISECONDS[attempt];
                const code =
                    error instanceof Unreachable ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
                if (wait === undefined || code === undefined || !NOT_CONNECTED.has(code)) throw error;
                await sleep(wait);
            }
        }
    }

    private requestOnce(method: string, path: string, body: unknown, type: string): Promise<PropertyMap> {
        const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
        const { authorization } = this.connection;
        const headers = {
            accept: "application/json",
            ...(authorization ? { authorization } : {}),
            ...(data ? { "content-type": type, "content-length": data.length } : {}),
        };
        const library = this.base.protocol === "http:" ? http : https;
        const options = { method, agent: this.agent, headers, timeout: REQUEST_TIMEOUT_MILLISECONDS };
        const url = new URL(this.base.pathname.replace(/\/$/, "") + path, this.base);
        return new Promise((resolve, reject) => {
            const unreachable = (cause: Error): void => {
                const said = cause.message || (cause as NodeJS.ErrnoException).code;
                reject(new Unreachable(`the Kubernetes API server ${this.server} does not answer: ${said}`, { cause }));
            };
            const request = library.request(url, options, (response) => {
                const parts: Buffer[] = [];
                response.on("data", (part: Buffer) => parts.push(part));
                response.on("error", unreachable);
                response.on("end", () => {
                    const answer = parseBody(Buffer.concat(parts).toString());
                    const status = response.statusCode ?? 0;
                    if (status >= 200 && status < 300) resolve(answer);
                    else reject(new ApiError(status, answer, `${method} ${url.pathname}`));
                });
            });
            request.on("timeout", () =>
                request.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MILLISECONDS / 1000} s`)),
            );
            request.on("error", unreachable);
            request.end(data);
        });
    }
}

function parseBody(text: string): PropertyMap {
    try {
        const parsed: unknown = text === "" ? {} : JSON.parse(text);
        return isMap(parsed) ? parsed : { message: text };
    } catch {
        return { message: text.slice(0, 500) };
    }
}
