import type { PostgresHAArgs } from "../components/postgres-ha-args";

type Profile = Pick<PostgresHAArgs, "etcd" | "postgres" | "haproxy" | "protectData">;

/** Sizes and guards by environment; what a stack's own configuration says wins. */
export const profiles: Record<"dev" | "staging" | "production", Profile> = {
    // Three machines share one small host.
    dev: {
        etcd: { resources: { cpu: "100m", memory: "256Mi" } },
        postgres: { sharedBuffers: "256MB", maxConnections: 200, resources: { cpu: "200m", memory: "1536Mi" } },
    },
    // As production, smaller: what is rehearsed here must behave the same.
    staging: {
        protectData: true,
        etcd: { resources: { cpu: "250m", memory: "512Mi" } },
        postgres: {
            storage: "50Gi",
            sharedBuffers: "1GB",
            maxConnections: 300,
            resources: { cpu: "1", memory: "4Gi" },
        },
    },
    // A quarter of the memory for shared_buffers, as PostgreSQL's manual advises.
    production: {
        protectData: true,
        etcd: { storage: "4Gi", resources: { cpu: "500m", memory: "1Gi" } },
        postgres: {
            storage: "200Gi",
            sharedBuffers: "4GB",
            maxConnections: 500,
            resources: { cpu: "2", memory: "16Gi" },
        },
        haproxy: { resources: { cpu: "250m", memory: "512Mi" } },
    },
};
