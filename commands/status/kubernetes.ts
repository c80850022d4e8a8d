import { parse } from "yaml";
import { ask, type Question } from "../../components/https";
import { saysReady } from "../../components/k3s/cluster-access";
import { ports } from "../../components/naming";
import type { StackState } from "./stack-state";

interface Kubeconfig {
    clusters: { cluster: { "certificate-authority-data": string } }[];
    users: { user: { "client-certificate-data": string; "client-key-data": string } }[];
}

export interface Pod {
    metadata: { name: string; uid: string };
    spec: { nodeName?: string };
    status?: { podIP?: string };
}

interface Node {
    metadata: { name: string; labels?: Record<string, string> };
    spec: { unschedulable?: boolean };
    status: { conditions?: { type: string; status: string }[]; nodeInfo: { kubeletVersion: string } };
}

export interface NodeStatus {
    name: string;
    ready: boolean;
    /** Nothing is started on it: `kubectl cordon`, or a drain that was given up. */
    cordoned: boolean;
    role: "server" | "agent";
    version: string;
}

const fromBase64 = (text = ""): string => Buffer.from(text, "base64").toString("utf8");

/** The few calls to the Kubernetes API that this project makes by itself, to whichever server answers first. */
export class Kubernetes {
    private readonly tls: NonNullable<Question["tls"]>;
    private readonly servers: string[];

    constructor(state: StackState) {
        const kubeconfig = parse(state.outputs.kubeconfig) as Kubeconfig;
        const user = kubeconfig.users[0]?.user;
        this.tls = {
            ca: fromBase64(kubeconfig.clusters[0]?.cluster["certificate-authority-data"]),
            cert: fromBase64(user?.["client-certificate-data"]),
            key: fromBase64(user?.["client-key-data"]),
        };
        this.servers = state.machines.filter(({ role }) => role === "server").map(({ access }) => access.address);
    }

    async get<Answer>(path: string, timeoutMs = 4000): Promise<Answer> {
        const answers = this.servers.map((host) => this.ask(host, "GET", path, timeoutMs));
        return JSON.parse(await Promise.any(answers).catch(rethrowFirst)) as Answer;
    }

    /** Asked of one server after another: a change must not be made twice. */
    async delete(path: string, timeoutMs = 4000): Promise<void> {
        let last: unknown;
        for (const host of this.servers) {
            try {
                await this.ask(host, "GET", "/readyz", 2000);
                await this.ask(host, "DELETE", path, timeoutMs);
                return;
            } catch (error) {
                last = error;
            }
        }
        throw last;
    }

    async nodes(): Promise<NodeStatus[]> {
        const { items } = await this.get<{ items: Node[] }>("/api/v1/nodes");
        return items.map(({ metadata, spec, status }) => ({
            name: metadata.name,
            cordoned: spec.unschedulable === true,
            ready: saysReady({ status }),
            role: "node-role.kubernetes.io/control-plane" in (metadata.labels ?? {}) ? "server" : "agent",
            version: status.nodeInfo.kubeletVersion,
        }));
    }

    pod = (namespace: string, name: string): Promise<Pod> =>
        this.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`);

    private ask(host: string, method: "GET" | "DELETE", path: string, timeoutMs: number): Promise<string> {
        return ask({ host, port: ports.kubernetes, path, method, tls: this.tls, timeoutMs });
    }
}

function rethrowFirst(error: unknown): never {
    throw error instanceof AggregateError ? error.errors[0] : error;
}
