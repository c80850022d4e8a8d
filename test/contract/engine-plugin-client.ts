import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import type * as empties from "google-protobuf/google/protobuf/empty_pb";
import type * as structs from "google-protobuf/google/protobuf/struct_pb";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { buildEngine } from "../../offline/engine/build";
import { isMap, type PropertyMap } from "../../offline/engine/values";

/** Starts plugins and speaks to them as the engine does. */

let built: Promise<string> | undefined;

/** The stand-ins, built once for all test files of a run. */
export function engineDirectory(): Promise<string> {
    built ??= (async () => {
        const directory = mkdtempSync(join(tmpdir(), "engine-"));
        await buildEngine(directory);
        return directory;
    })();
    return built;
}

export const PROVIDERS = {
    random: ["home", "plugins", "resource-random-v4.21.2", "pulumi-resource-random"],
    kubernetes: ["home", "plugins", "resource-kubernetes-v4.29.0", "pulumi-resource-kubernetes"],
};

// Structs are made by the SDK's own protobuf library, as its messages accept no other's.
const requireFromSdk = createRequire(require.resolve("@pulumi/pulumi"));
const { Struct } = requireFromSdk("google-protobuf/google/protobuf/struct_pb") as typeof structs;
const { Empty } = requireFromSdk("google-protobuf/google/protobuf/empty_pb") as typeof empties;

export function struct(value: PropertyMap): InstanceType<typeof Struct> {
    return Struct.fromJavaScript(JSON.parse(JSON.stringify(value)) as PropertyMap as Record<string, string>);
}

export interface LogLine {
    readonly message: string;
    readonly urn: string;
    readonly ephemeral: boolean;
    readonly severity: number;
}

export interface Plugin {
    readonly process: ChildProcess;
    readonly port: number;
    readonly lines: string[];
    readonly logged: LogLine[];
    /** The first logged line with this text; log calls arrive after the answer that they belong to. */
    said(text: string): Promise<LogLine>;
    stop(): Promise<void>;
}

export async function startPlugin(path: string, environment: NodeJS.ProcessEnv = {}): Promise<Plugin> {
    const logged: LogLine[] = [];
    const engine = new grpc.Server();
    engine.addService(EngineService, {
        log(call: { request: LogRequest }, callback: (error: null, answer: unknown) => void) {
            const { request } = call;
            logged.push({
                message: request.getMessage(),
                urn: request.getUrn(),
                ephemeral: request.getEphemeral(),
                severity: request.getSeverity(),
            });
            callback(null, new Empty());
        },
    });
    const enginePort = await new Promise<number>((resolve, reject) => {
        engine.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
            error ? reject(error) : resolve(port),
        );
    });
    const env = { PATH: process.env.PATH, HOME: tmpdir(), ...environment };
    const child = spawn(path, [`127.0.0.1:${enginePort}`], { env, stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    child.stderr.on("data", (data: Buffer) => lines.push(data.toString()));
    const port = await new Promise<number>((resolve, reject) => {
        child.stdout.once("data", (data: Buffer) => resolve(Number(data.toString().split("\n")[0])));
        child.once("exit", (code) => reject(new Error(`${path} ended with ${code}: ${lines.join("")}`)));
    });
    return {
        process: child,
        port,
        lines,
        logged,
        async said(text) {
            for (let tries = 0; tries < 100; tries += 1) {
                const line = logged.find(({ message }) => message.includes(text));
                if (line) return line;
                await sleep(50);
            }
            throw new Error(`nothing logged with "${text}", but: ${JSON.stringify(logged)}`);
        },
        async stop() {
            const ended = new Promise((resolve) => child.once("exit", resolve));
            if (child.exitCode === null && child.kill("SIGTERM")) await ended;
            engine.forceShutdown();
        },
    };
}

/** A failed call, with what the engine would keep of it. */
export class CallError extends Error {
    constructor(
        error: grpc.ServiceError,
        readonly code: number = error.code,
        readonly initFailed:
            { id: string; reasons: string[]; properties: PropertyMap; inputs: PropertyMap } | undefined = partial(
            error,
        ),
    ) {
        super(error.details);
    }
}

function partial(error: grpc.ServiceError): CallError["initFailed"] {
    const [details] = error.metadata.get("grpc-status-details-bin");
    if (!details) return undefined;
    const [packed] = Status.deserializeBinary(details as Buffer).getDetailsList();
    if (packed?.getTypeName() !== "pulumirpc.ErrorResourceInitFailed") return undefined;
    const failed = messages.ErrorResourceInitFailed.deserializeBinary(packed.getValue_asU8());
    return {
        id: failed.getId(),
        reasons: failed.getReasonsList(),
        properties: failed.getProperties()?.toJavaScript() ?? {},
        inputs: failed.getInputs()?.toJavaScript() ?? {},
    };
}

type Unary = (request: unknown, callback: (error: grpc.ServiceError | null, response: unknown) => void) => void;

/** One configured provider, its calls as promises over plain objects. */
export class Provider {
    private readonly client: ResourceProviderClient;

    constructor(readonly plugin: Plugin) {
        this.client = new ResourceProviderClient(`127.0.0.1:${plugin.port}`, grpc.credentials.createInsecure());
    }

    call<Response>(method: string, request: unknown): Promise<Response> {
        const bound = (this.client as unknown as Record<string, Unary>)[method];
        return new Promise((resolve, reject) => {
            bound?.call(this.client, request, (error, response) =>
                error ? reject(new CallError(error)) : resolve(response as Response),
            );
        });
    }

    async configure(variables: Record<string, string>): Promise<void> {
        const request = new messages.ConfigureRequest();
        for (const [key, value] of Object.entries(variables)) request.getVariablesMap().set(key, value);
        await this.call("configure", request);
    }

    async check(urn: string, news: PropertyMap, olds: PropertyMap = {}, seed = "seed") {
        const request = new messages.CheckRequest();
        request.setUrn(urn);
        request.setNews(struct(news));
        request.setOlds(struct(olds));
        request.setRandomseed(Buffer.from(seed));
        const response = await this.call<messages.CheckResponse>("check", request);
        return {
            inputs: plain(response.getInputs()),
            failures: response.getFailuresList().map((each) => each.toObject()),
        };
    }

    async diff(urn: string, olds: PropertyMap, oldInputs: PropertyMap, news: PropertyMap, ignore: string[] = []) {
        const request = new messages.DiffRequest();
        request.setUrn(urn);
        request.setOlds(struct(olds));
        request.setOldInputs(struct(oldInputs));
        request.setNews(struct(news));
        request.setIgnorechangesList(ignore);
        const response = await this.call<messages.DiffResponse>("diff", request);
        return {
            changed: response.getChanges() === messages.DiffResponse.DiffChanges.DIFF_SOME,
            kinds: changeKinds(response),
            replaces: response.getReplacesList(),
            deleteBeforeReplace: response.getDeletebeforereplace(),
            detailed: response.getHasdetaileddiff(),
        };
    }

    async create(urn: string, inputs: PropertyMap, options: { preview?: boolean; timeout?: number } = {}) {
        const request = new messages.CreateRequest();
        request.setUrn(urn);
        request.setProperties(struct(inputs));
        request.setPreview(options.preview ?? false);
        request.setTimeout(options.timeout ?? 0);
        const response = await this.call<messages.CreateResponse>("create", request);
        return { id: response.getId(), properties: plain(response.getProperties()) };
    }

    async update(
        urn: string,
        olds: PropertyMap,
        oldInputs: PropertyMap,
        news: PropertyMap,
        options: { preview?: boolean; timeout?: number } = {},
    ) {
        const request = new messages.UpdateRequest();
        request.setUrn(urn);
        request.setOlds(struct(olds));
        request.setOldInputs(struct(oldInputs));
        request.setNews(struct(news));
        request.setPreview(options.preview ?? false);
        request.setTimeout(options.timeout ?? 0);
        return plain((await this.call<messages.UpdateResponse>("update", request)).getProperties());
    }

    async read(urn: string, id: string, properties: PropertyMap = {}, inputs: PropertyMap = {}) {
        const request = new messages.ReadRequest();
        request.setUrn(urn);
        request.setId(id);
        request.setProperties(struct(properties));
        request.setInputs(struct(inputs));
        const response = await this.call<messages.ReadResponse>("read", request);
        return {
            id: response.getId(),
            properties: plain(response.getProperties()),
            inputs: plain(response.getInputs()),
        };
    }

    async delete(
        urn: string,
        id: string,
        properties: PropertyMap,
        oldInputs: PropertyMap = {},
        timeout = 0,
    ): Promise<void> {
        const request = new messages.DeleteRequest();
        request.setUrn(urn);
        request.setId(id);
        request.setProperties(struct(properties));
        request.setOldInputs(struct(oldInputs));
        request.setTimeout(timeout);
        await this.call("delete", request);
    }

    cancel(): Promise<unknown> {
        return this.call("cancel", new Empty());
    }

    async stop(): Promise<void> {
        this.client.close();
        await this.plugin.stop();
    }
}

function plain(value: { toJavaScript(): unknown } | undefined): PropertyMap {
    const found = value?.toJavaScript();
    return isMap(found) ? found : {};
}

function changeKinds(response: messages.DiffResponse): Record<string, string> {
    const names = new Map(Object.entries(messages.PropertyDiff.Kind).map(([name, value]) => [value, name]));
    const kinds: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((detail, path) => {
        kinds[path] = names.get(detail.getKind()) ?? "";
    });
    return kinds;
}

export async function startProvider(
    name: keyof typeof PROVIDERS,
    environment: NodeJS.ProcessEnv = {},
): Promise<Provider> {
    return new Provider(await startPlugin(join(await engineDirectory(), ...PROVIDERS[name]), environment));
}
