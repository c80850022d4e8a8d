import * as grpc from "@grpc/grpc-js";
import { Any } from "google-protobuf/google/protobuf/any_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct, type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";
import { ErrorResourceInitFailed } from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { type PropertyMap, withoutUndefined } from "./values";

// State of any size must pass; the official plugins lift the limits as well.
export const CHANNEL_OPTIONS = {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
};

/** The object exists but did not become what it should: the engine keeps its state and tries again next time. */
export class ResourceInitFailed extends Error {
    constructor(
        readonly id: string,
        readonly properties: PropertyMap,
        readonly inputs: PropertyMap | undefined,
        readonly reasons: string[],
    ) {
        super(reasons.join("\n"));
    }
}

/** A call that this stand-in does not answer, with what to do instead. */
export class Unimplemented extends Error {}

export function toStruct(properties: PropertyMap): Struct {
    return Struct.fromJavaScript(withoutUndefined(properties) as Record<string, JavaScriptValue>);
}

export function fromStruct(struct: Struct | undefined): PropertyMap {
    return struct ? struct.toJavaScript() : {};
}

export function toServiceError(error: unknown): Partial<grpc.StatusObject> {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Unimplemented) return { code: grpc.status.UNIMPLEMENTED, details: message };
    if (!(error instanceof ResourceInitFailed)) return { code: grpc.status.UNKNOWN, details: message };

    const detail = new ErrorResourceInitFailed();
    detail.setId(error.id);
    detail.setProperties(toStruct(error.properties));
    detail.setReasonsList(error.reasons);
    if (error.inputs) detail.setInputs(toStruct(error.inputs));
    const packed = new Any();
    packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const status = new Status();
    status.setCode(grpc.status.UNKNOWN);
    status.setMessage(message);
    status.addDetails(packed);
    // grpc-js has no API for status details; this header is how every gRPC implementation carries them.
    const metadata = new grpc.Metadata();
    metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    return { code: grpc.status.UNKNOWN, details: message, metadata };
}

/** Methods of one service. `request` is typed by the caller, as gRPC itself knows only the wire format. */
export interface Methods {
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    readonly unary: Record<string, (request: any) => unknown>;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    readonly streaming?: Record<string, (call: grpc.ServerWritableStream<any, any>) => Promise<void>>;
}

function handlersOf(methods: Methods): grpc.UntypedServiceImplementation {
    const handlers: grpc.UntypedServiceImplementation = {};
    for (const [name, answer] of Object.entries(methods.unary)) {
        const handler: grpc.handleUnaryCall<unknown, unknown> = (call, callback) => {
            Promise.resolve()
                .then(() => answer(call.request))
                .then(
                    (response) => callback(null, response ?? new Empty()),
                    (error: unknown) => callback(toServiceError(error), null),
                );
        };
        handlers[name] = handler;
    }
    for (const [name, stream] of Object.entries(methods.streaming ?? {})) {
        const handler: grpc.handleServerStreamingCall<unknown, unknown> = (call) => {
            stream(call).then(
                () => call.end(),
                (error: unknown) => call.emit("error", toServiceError(error)),
            );
        };
        handlers[name] = handler;
    }
    return handlers;
}

/**
 * Serves until the engine ends the process or dies itself. The first line of stdout is the port: the engine reads
 * nothing else from there to find the plugin.
 */
export function serve(service: grpc.ServiceDefinition, methods: Methods, onExit: () => void = () => undefined): void {
    const server = new grpc.Server(CHANNEL_OPTIONS);
    server.addService(service, handlersOf(methods));
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error) {
            process.stderr.write(`cannot listen on 127.0.0.1: ${error.message}\n`);
            process.exit(1);
        }
        process.stdout.write(`${port}\n`);
    });

    const leave = (): void => {
        onExit();
        process.exit(0);
    };
    process.on("SIGINT", leave);
    process.on("SIGTERM", leave);
    const parent = process.ppid;
    setInterval(() => {
        if (process.ppid !== parent) leave();
    }, 1000).unref();
}

/** The engine gives its address as the last argument, and again in the handshake. */
export function engineAddressFrom(args: readonly string[]): string {
    return args.filter((argument) => !argument.startsWith("-")).at(-1) ?? "";
}
