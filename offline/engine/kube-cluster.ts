import { KubeClient, Unreachable } from "./kube-client";
import { activeCluster, loadKubeconfig, type Overrides, resolveConnection } from "./kubeconfig";
import { isTrue, nonEmpty, type PropertyMap } from "./values";

/** The provider's arguments, from its configuration and, where the official provider has one, an environment variable. */
export interface ProviderConfig {
    readonly kubeconfig: string | undefined;
    readonly overrides: Overrides;
    readonly namespace: string | undefined;
    readonly deleteUnreachable: boolean;
    readonly skipUpdateUnreachable: boolean;
    readonly enableConfigMapMutable: boolean;
    readonly enableSecretMutable: boolean;
    readonly enablePatchForce: boolean;
    readonly upsertExistingObjects: boolean;
}

export function parseProviderConfig(variables: ReadonlyMap<string, string>): ProviderConfig {
    const value = (name: string): string | undefined => nonEmpty(variables.get(`kubernetes:config:${name}`));
    const flag = (name: string, environment: string): boolean => isTrue(value(name) ?? process.env[environment]);
    return {
        kubeconfig: value("kubeconfig"),
        overrides: { context: value("context"), cluster: value("cluster") },
        namespace: value("namespace"),
        deleteUnreachable: flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skipUpdateUnreachable: flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        enableConfigMapMutable: flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        enableSecretMutable: flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        enablePatchForce: flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsertExistingObjects: flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
    };
}

// Long enough for one preview of many resources not to ask again for each, short enough for a cluster that comes up
// while the update runs.
const REMEMBER_UNREACHABLE_MILLISECONDS = 10_000;

/** The configured cluster: connected on first use, and asked before use whether it is there. */
export class Cluster {
    private connected: KubeClient | undefined;
    private defaultNamespace = "default";
    private probe: Promise<string | undefined> | undefined;

    constructor(readonly config: ProviderConfig) {}

    /** Why the cluster cannot be used, or nothing. */
    unreachable(): Promise<string | undefined> {
        this.probe ??= this.ask().then((reason) => {
            if (reason) setTimeout(() => (this.probe = undefined), REMEMBER_UNREACHABLE_MILLISECONDS).unref();
            return reason;
        });
        return this.probe;
    }

    /** The client of a cluster that must be there. */
    async client(): Promise<KubeClient> {
        const reason = await this.unreachable();
        if (reason || !this.connected) throw new Unreachable(`configured Kubernetes cluster is unreachable: ${reason}`);
        return this.connected;
    }

    namespace(): string {
        try {
            this.connect();
        } catch {
            // Without a usable kubeconfig the default is all there is.
        }
        return this.config.namespace ?? this.defaultNamespace;
    }

    private async ask(): Promise<string | undefined> {
        try {
            await this.connect().ping();
            return undefined;
        } catch (error) {
            return (error as Error).message;
        }
    }

    private connect(): KubeClient {
        if (!this.connected) {
            const connection = resolveConnection(loadKubeconfig(this.config.kubeconfig), this.config.overrides);
            this.defaultNamespace = nonEmpty(connection.namespace) ?? "default";
            this.connected = new KubeClient(connection);
        }
        return this.connected;
    }
}

function configOf(inputs: PropertyMap): PropertyMap | undefined {
    const { kubeconfig } = inputs;
    try {
        return loadKubeconfig(typeof kubeconfig === "string" ? kubeconfig : JSON.stringify(kubeconfig));
    } catch {
        return undefined;
    }
}

/** Do two sets of provider arguments point to different clusters? Unknown counts as no: nothing is destroyed on a guess. */
export function isOtherCluster(before: PropertyMap, after: PropertyMap): boolean {
    const clusterOf = (inputs: PropertyMap): string | undefined => {
        const config = configOf(inputs);
        const overrides = {
            context: inputs.context as string | undefined,
            cluster: inputs.cluster as string | undefined,
        };
        return config && JSON.stringify(activeCluster(config, overrides));
    };
    const [old, next] = [clusterOf(before), clusterOf(after)];
    return old !== undefined && next !== undefined && old !== next;
}
