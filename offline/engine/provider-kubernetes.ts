import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import { EngineLog } from "./engine-log";
import { answeredVersion, introduce, KUBERNETES } from "./identity";
import { check, diff } from "./kube-check";
import { Cluster, parseProviderConfig } from "./kube-cluster";
import { checkConfig, diffConfig } from "./kube-config-diff";
import { KubeLifecycle } from "./kube-lifecycle";
import { engineAddressFrom, serve, Unimplemented } from "./rpc";

// Secrets: acceptSecrets stays off, so the engine takes the marks off before a call and puts them back on outputs at
// the inputs' paths; the SDK marks data and stringData of a Secret besides. Therefore state holds no copy of the inputs.

const log = new EngineLog();
const cancellation = new AbortController();

interface Configured {
    readonly cluster: Cluster;
    readonly lifecycle: KubeLifecycle;
}
let configured: Configured | undefined;

function configure(request: messages.ConfigureRequest): messages.ConfigureResponse {
    const cluster = new Cluster(parseProviderConfig(new Map(request.getVariablesMap().getEntryList())));
    configured = { cluster, lifecycle: new KubeLifecycle(cluster, log, cancellation.signal) };
    log.info(introduce(KUBERNETES));
    const response = new messages.ConfigureResponse();
    response.setSupportspreview(true);
    response.setSupportsAutonamingConfiguration(true);
    return response;
}

function ready(): Configured {
    if (!configured) throw new Error("the engine used the kubernetes provider before configuring it");
    return configured;
}

function unsupported(what: string): () => never {
    return () => {
        throw new Unimplemented(
            `${introduce(KUBERNETES)} has no ${what}: declare plain resources or use the official plugin`,
        );
    };
}

function main(): void {
    const args = process.argv.slice(2);
    if (answeredVersion(KUBERNETES, args)) return;
    process.stderr.write(`${introduce(KUBERNETES)}\n`);
    log.connect(engineAddressFrom(args));
    serve(ResourceProviderService, {
        unary: {
            handshake(request: messages.ProviderHandshakeRequest) {
                log.connect(request.getEngineAddress());
                const response = new messages.ProviderHandshakeResponse();
                response.setSupportsAutonamingConfiguration(true);
                return response;
            },
            getPluginInfo() {
                const info = new PluginInfo();
                info.setVersion(KUBERNETES.version);
                return info;
            },
            getSchema() {
                const response = new messages.GetSchemaResponse();
                response.setSchema("{}");
                return response;
            },
            checkConfig,
            diffConfig,
            configure,
            check: (request: messages.CheckRequest) => check(request, ready().cluster, log),
            diff: (request: messages.DiffRequest) => diff(request, ready().cluster),
            create: (request: messages.CreateRequest) => ready().lifecycle.create(request),
            read: (request: messages.ReadRequest) => ready().lifecycle.read(request),
            update: (request: messages.UpdateRequest) => ready().lifecycle.update(request),
            delete: (request: messages.DeleteRequest) => ready().lifecycle.delete(request),
            cancel: () => cancellation.abort(),
            construct: unsupported("component resources (Helm charts, Kustomize, YAML files)"),
            invoke: unsupported("functions (YAML decoding, Helm templates)"),
            parameterize: unsupported("parameterization"),
        },
    });
}

main();
