import type { Fault } from "./fault";

export const primaryPodDelete: Fault = {
    name: "primary-pod-delete",
    imitates: "the primary's pod is deleted gracefully, as an eviction or a rollout does",
    outageBar: 4,
    async prepare(cluster) {
        const { name, machine } = await cluster.primary();
        return {
            target: `${name} on ${machine.name}`,
            inject: () => cluster.kubernetes.delete(`/api/v1/namespaces/${cluster.state.namespace}/pods/${name}`),
            heal: () => Promise.resolve(),
        };
    },
};
