import type { Cluster, PlacedInstance } from "../cluster";
import { healsItself, type Fault, type PreparedFault } from "./fault";

async function deletion(cluster: Cluster, { name, machine }: PlacedInstance, query = ""): Promise<PreparedFault> {
    const path = `/api/v1/namespaces/${cluster.state.namespace}/pods/${name}${query}`;
    return {
        target: `${name} on ${machine.name}`,
        inject: () => cluster.kubernetes.delete(path),
        heal: healsItself,
    };
}

export const primaryPodDelete: Fault = {
    name: "primary-pod-delete",
    imitates: "the primary's pod is deleted gracefully, as an eviction or a rollout does",
    bar: "process",
    failover: "expected",
    prepare: async (cluster) => deletion(cluster, await cluster.primary()),
};

export const primaryPodForced: Fault = {
    name: "primary-pod-forced",
    imitates: "the primary's pod is deleted by force, with no time to shut down",
    bar: "process",
    failover: "allowed",
    prepare: async (cluster) => deletion(cluster, await cluster.primary(), "?gracePeriodSeconds=0"),
};

export const replicaPodDelete: Fault = {
    name: "replica-pod-delete",
    imitates: "the synchronous standby's pod is deleted gracefully, as an eviction or a rollout does",
    bar: "planned",
    failover: "forbidden",
    redundantWithin: 30,
    prepare: async (cluster) => deletion(cluster, await cluster.standby()),
};
