import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { changesBetween, diffResponse } from "./diff";
import { EngineLog } from "./engine-log";
import { answeredVersion, introduce, RANDOM } from "./identity";
import { RANDOM_KINDS, type RandomKind } from "./random-kinds";
import { engineAddressFrom, fromStruct, serve, toStruct } from "./rpc";

// Secrets: acceptSecrets stays off, so the engine takes the marks off before a call and puts them back on the
// outputs by name; the SDK marks `result` of a password besides.

const log = new EngineLog();

function kindOf(urn: string): RandomKind {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const name = type.split(":").at(-1) ?? "";
    const kind = RANDOM_KINDS[name];
    if (kind) return kind;
    const have = Object.keys(RANDOM_KINDS).join(", ");
    throw new Error(`${introduce(RANDOM)} has no ${type}: use one of ${have}, or the official plugin`);
}

function check(request: messages.CheckRequest): messages.CheckResponse {
    const kind = kindOf(request.getUrn());
    const inputs = fromStruct(request.getNews());
    const missing = kind.required
        .filter((property) => inputs[property] === undefined || inputs[property] === null)
        .map((property) => ({ property, reason: `missing required property '${property}'` }));
    const failures = [...missing, ...(kind.check?.(inputs) ?? [])].map(({ property, reason }) => {
        const failure = new messages.CheckFailure();
        failure.setProperty(property);
        failure.setReason(reason);
        return failure;
    });
    const response = new messages.CheckResponse();
    response.setInputs(toStruct(inputs));
    response.setFailuresList(failures);
    return response;
}

function create(request: messages.CreateRequest): messages.CreateResponse {
    const inputs = fromStruct(request.getProperties());
    const response = new messages.CreateResponse();
    if (request.getPreview()) {
        response.setProperties(toStruct(inputs));
        return response;
    }
    const { id, outputs } = kindOf(request.getUrn()).create(inputs);
    response.setId(id);
    response.setProperties(toStruct(outputs));
    return response;
}

function read(request: messages.ReadRequest): messages.ReadResponse {
    const response = new messages.ReadResponse();
    const state = fromStruct(request.getProperties());
    if (Object.keys(state).length > 0) {
        response.setId(request.getId());
        response.setProperties(toStruct(state));
        response.setInputs(toStruct(fromStruct(request.getInputs())));
        return response;
    }
    const kind = kindOf(request.getUrn());
    if (!kind.import) throw new Error(`${request.getUrn()} cannot be imported: a shuffle has no value of its own`);
    const imported = kind.import(request.getId());
    response.setId(imported.id);
    response.setProperties(toStruct(imported.outputs));
    response.setInputs(toStruct(imported.inputs));
    return response;
}

function main(): void {
    const args = process.argv.slice(2);
    if (answeredVersion(RANDOM, args)) return;
    process.stderr.write(`${introduce(RANDOM)}\n`);
    log.connect(engineAddressFrom(args));
    serve(ResourceProviderService, {
        unary: {
            handshake(request: messages.ProviderHandshakeRequest) {
                log.connect(request.getEngineAddress());
                return new messages.ProviderHandshakeResponse();
            },
            getPluginInfo() {
                const info = new PluginInfo();
                info.setVersion(RANDOM.version);
                return info;
            },
            getSchema() {
                const response = new messages.GetSchemaResponse();
                response.setSchema("{}");
                return response;
            },
            checkConfig(request: messages.CheckRequest) {
                const response = new messages.CheckResponse();
                response.setInputs(request.getNews());
                return response;
            },
            diffConfig: () => new messages.DiffResponse(),
            configure() {
                log.info(introduce(RANDOM));
                const response = new messages.ConfigureResponse();
                response.setSupportspreview(true);
                return response;
            },
            cancel: () => undefined,
            check,
            diff: (request: messages.DiffRequest) =>
                diffResponse(changesBetween(fromStruct(request.getOldInputs()), fromStruct(request.getNews())), {
                    forcesReplacement: () => true,
                }),
            create,
            read,
            update(request: messages.UpdateRequest) {
                const response = new messages.UpdateResponse();
                response.setProperties(request.getOlds());
                return response;
            },
            delete: () => undefined,
        },
    });
}

main();
