import { generateKeyPairSync, randomUUID } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMap, pluckMap, pluckMaps, pluckText, type PropertyMap } from "../../offline/engine/values";
import { applied, entryFor, type ManagedEntry } from "./engine-fake-fields";

/** An API server of a few kinds over HTTPS: create, server-side apply, JSON patch, delete, list, discovery, dry run. */
export type Live = PropertyMap & { metadata: PropertyMap };

interface Kind {
    readonly root: string;
    readonly plural: string;
    readonly kind: string;
    readonly namespaced: boolean;
}

function kinds(root: string, namespaced: boolean, names: string): Kind[] {
    return names.split(" ").map((kind) => ({ root, kind, namespaced, plural: plural(kind) }));
}

function plural(kind: string): string {
    const lower = kind.toLowerCase();
    if (lower === "endpoints") return lower;
    return lower.endsWith("s") ? `${lower}es` : `${lower}s`;
}

class Refusal extends Error {
    constructor(
        readonly code: number,
        readonly reason: string,
        message: string,
    ) {
        super(message);
    }
}

function certificate(): { key: string; cert: string } {
    const directory = mkdtempSync(join(tmpdir(), "fake-cluster-"));
    try {
        const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
        const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
        writeFileSync(join(directory, "key"), key);
        const subject = ["-subj", "/CN=fake-cluster", "-addext", "subjectAltName=IP:127.0.0.1"];
        const args = ["req", "-x509", "-new", "-key", join(directory, "key"), "-days", "1", ...subject];
        execFileSync("openssl", [...args, "-out", join(directory, "cert")], { stdio: "pipe" });
        return { key, cert: readFileSync(join(directory, "cert"), "utf8") };
    } finally {
        rmSync(directory, { recursive: true });
    }
}

export class FakeCluster {
    readonly objects = new Map<string, Live>();
    readonly requests: string[] = [];
    /** Called after every write, to play the controller of a kind. */
    controller: (live: Live) => void = () => undefined;
    /** Refuses a request before it is looked at, when it returns something. */
    intercept: (method: string, path: string) => { code: number; reason: string; message: string } | undefined = () =>
        undefined;
    private readonly served: Kind[] = [
        ...kinds("/api/v1", true, "ConfigMap Secret Service Endpoints Pod PersistentVolumeClaim ServiceAccount"),
        ...kinds("/api/v1", false, "Namespace"),
        ...kinds("/apis/apps/v1", true, "StatefulSet Deployment ReplicaSet DaemonSet"),
        ...kinds("/apis/batch/v1", true, "Job"),
        ...kinds("/apis/storage.k8s.io/v1", false, "StorageClass"),
        ...kinds("/apis/apiextensions.k8s.io/v1", false, "CustomResourceDefinition"),
    ];
    private readonly tls = certificate();
    private readonly server: Server;
    private readonly sockets = new Set<Socket>();
    private revision = 1;
    private port = 0;

    constructor() {
        this.server = createServer(this.tls, (request, response) => void this.answer(request, response));
        this.server.on("secureConnection", (socket: Socket) => {
            this.sockets.add(socket);
            socket.on("close", () => this.sockets.delete(socket));
        });
        this.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
    }

    async start(): Promise<void> {
        await new Promise<void>((resolve) => this.server.listen(this.port, "127.0.0.1", resolve));
        this.port = (this.server.address() as AddressInfo).port;
    }

    async stop(): Promise<void> {
        for (const socket of this.sockets) socket.destroy();
        await new Promise<void>((resolve) => this.server.close(() => resolve()));
    }

    get kubeconfig(): string {
        const authority = Buffer.from(this.tls.cert).toString("base64");
        return JSON.stringify({
            apiVersion: "v1",
            kind: "Config",
            "current-context": "fake",
            contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
            clusters: [
                {
                    name: "fake",
                    cluster: { server: `https://127.0.0.1:${this.port}`, "certificate-authority-data": authority },
                },
            ],
            users: [{ name: "fake", user: { token: "a-token" } }],
        });
    }

    /** Serves a custom resource from now on. */
    establish(group: string, kind: string): void {
        this.served.push(...kinds(`/apis/${group}/v1`, true, kind));
    }

    find(kind: string, name: string, namespace = "default"): Live | undefined {
        return [...this.objects.values()].find(
            (live) =>
                live.kind === kind &&
                live.metadata.name === name &&
                (live.metadata.namespace ?? namespace) === namespace,
        );
    }

    /** Stores an object as someone other than the plugin under test would. */
    put(object: PropertyMap, manager = "someone-else", operation: "Apply" | "Update" = "Update"): Live {
        const kind = this.served.find((entry) => entry.kind === object.kind) as Kind;
        const metadata: PropertyMap = { ...pluckMap(object, "metadata"), uid: randomUUID(), generation: 1 };
        metadata.creationTimestamp = new Date().toISOString();
        metadata.managedFields = [entryFor(manager, operation, object)];
        const live = { ...structuredClone(object), metadata };
        this.store(this.key(kind, pluckText(metadata, "namespace") ?? "default", String(metadata.name)), live);
        return live;
    }

    touch(live: Live): void {
        live.metadata.resourceVersion = String((this.revision += 1));
    }

    private key(kind: Kind, namespace: string, name: string): string {
        return `${kind.root}/${kind.namespaced ? `${namespace}/` : ""}${kind.plural}/${name}`;
    }

    private store(key: string, live: Live): void {
        this.touch(live);
        this.objects.set(key, live);
    }

    private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
        const parts: Buffer[] = [];
        for await (const part of request) parts.push(part as Buffer);
        const url = new URL(request.url ?? "", "https://fake");
        const method = request.method ?? "";
        this.requests.push(`${method} ${url.pathname}${url.search}`);
        const send = (code: number, body: unknown): void => {
            response.writeHead(code, { "content-type": "application/json" });
            response.end(JSON.stringify(body));
        };
        try {
            const refused = this.intercept(method, url.pathname);
            if (refused) throw new Refusal(refused.code, refused.reason, refused.message);
            if (request.headers.authorization !== "Bearer a-token")
                throw new Refusal(401, "Unauthorized", "Unauthorized");
            const text = Buffer.concat(parts).toString();
            send(200, this.handle(method, url, text === "" ? {} : (JSON.parse(text) as PropertyMap)));
        } catch (error) {
            if (!(error instanceof Refusal)) return send(500, { message: String(error) });
            send(error.code, {
                kind: "Status",
                status: "Failure",
                code: error.code,
                reason: error.reason,
                message: error.message,
            });
        }
    }

    private handle(method: string, url: URL, body: PropertyMap): unknown {
        if (url.pathname === "/version") return { gitVersion: "v1.35.4" };
        const here = this.served.filter((kind) => kind.root === url.pathname);
        if (here.length > 0) {
            return {
                resources: here.map((kind) => ({ name: kind.plural, kind: kind.kind, namespaced: kind.namespaced })),
            };
        }
        const match = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/.exec(
            url.pathname,
        );
        const [, root, namespace = "default", resource, name] = match ?? [];
        const kind = this.served.find((entry) => entry.root === root && entry.plural === resource);
        if (!kind) throw new Refusal(404, "NotFound", "the server could not find the requested resource");
        if (kind.namespaced && !this.find("Namespace", namespace)) {
            throw new Refusal(404, "NotFound", `namespaces "${namespace}" not found`);
        }
        if (method === "POST") return this.post(kind, namespace, body, url.searchParams);
        if (name === undefined) return { items: this.listed(kind, namespace, url.searchParams.get("labelSelector")) };
        const key = this.key(kind, namespace, name);
        if (method === "PATCH") return this.patch(key, kind, namespace, body, url.searchParams);
        const live = this.objects.get(key);
        if (!live) throw new Refusal(404, "NotFound", `${kind.plural} "${name}" not found`);
        return method === "DELETE" ? this.delete(key, live, body) : live;
    }

    private listed(kind: Kind, namespace: string, selector: string | null): Live[] {
        const labels = (selector ?? "").split(",").filter((label) => label !== "");
        return [...this.objects.values()].filter(
            (live) =>
                live.kind === kind.kind &&
                (!kind.namespaced || live.metadata.namespace === namespace) &&
                labels.every(
                    (label) =>
                        pluckMap(live, "metadata", "labels")?.[label.split("=")[0] ?? ""] === label.split("=")[1],
                ),
        );
    }

    private post(kind: Kind, namespace: string, body: PropertyMap, query: URLSearchParams): Live {
        const name = String(pluckMap(body, "metadata")?.name);
        if (this.objects.has(this.key(kind, namespace, name))) {
            throw new Refusal(409, "AlreadyExists", `${kind.plural} "${name}" already exists`);
        }
        const place = kind.namespaced ? { namespace } : {};
        const object = { ...body, metadata: { ...pluckMap(body, "metadata"), ...place } };
        if (query.get("dryRun")) return { ...object, metadata: { ...object.metadata, uid: randomUUID() } };
        const live = this.put(this.stored(object), query.get("fieldManager") ?? "unknown");
        this.controller(live);
        return live;
    }

    // The API server keeps stringData as base64 in data.
    private stored(object: PropertyMap): PropertyMap {
        const { stringData, ...rest } = object;
        if (object.kind !== "Secret" || !isMap(stringData)) return object;
        const encoded = Object.entries(stringData).map(([key, value]) => [
            key,
            Buffer.from(String(value)).toString("base64"),
        ]);
        return { ...rest, data: { ...pluckMap(rest, "data"), ...Object.fromEntries(encoded) } };
    }

    private patch(key: string, kind: Kind, namespace: string, body: PropertyMap, query: URLSearchParams): Live {
        const live = this.objects.get(key);
        if (Array.isArray(body)) return this.jsonPatch(live, body as PropertyMap[]);
        if (!live) return this.post(kind, namespace, body, query);
        const manager = query.get("fieldManager") ?? "unknown";
        const entries = pluckMaps(live, "metadata", "managedFields") as ManagedEntry[];
        const result = applied(live, entries, this.stored(body), manager, query.get("force") === "true");
        if (result.conflicts.length > 0) {
            throw new Refusal(
                409,
                "Conflict",
                `Apply failed with ${result.conflicts.length} conflict: ${result.conflicts[0]}`,
            );
        }
        const selector = (object: PropertyMap): string => JSON.stringify(pluckMap(object, "spec", "selector"));
        if (kind.kind === "StatefulSet" && selector(live) !== selector(result.object)) {
            throw new Refusal(
                422,
                "Invalid",
                `StatefulSet is invalid: spec.selector: Invalid value: field is immutable`,
            );
        }
        const next = result.object as Live;
        if (JSON.stringify(next.spec) !== JSON.stringify(live.spec))
            next.metadata.generation = Number(live.metadata.generation) + 1;
        next.metadata.managedFields = result.entries;
        if (query.get("dryRun")) return next;
        this.store(key, next);
        this.controller(next);
        return next;
    }

    private jsonPatch(live: Live | undefined, operations: PropertyMap[]): Live {
        if (!live) throw new Refusal(404, "NotFound", "not found");
        for (const { path, value } of operations) {
            if (path === "/metadata/resourceVersion" && value !== live.metadata.resourceVersion) {
                throw new Refusal(409, "Conflict", "the object has been modified");
            }
            if (path === "/metadata/managedFields") live.metadata.managedFields = value;
        }
        this.touch(live);
        return live;
    }

    private delete(key: string, live: Live, options: PropertyMap): Live {
        const wanted = pluckText(options, "preconditions", "uid");
        if (wanted !== undefined && wanted !== live.metadata.uid) {
            throw new Refusal(409, "Conflict", `Precondition failed: UID in precondition: ${wanted}`);
        }
        if (Array.isArray(live.metadata.finalizers) && live.metadata.finalizers.length > 0) {
            live.metadata.deletionTimestamp = new Date().toISOString();
            return live;
        }
        this.objects.delete(key);
        return live;
    }
}
