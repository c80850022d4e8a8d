import type { DockerMachinesArgs } from "./docker/docker-machines";
import type { ExistingMachinesArgs } from "./existing/existing-machines";

/** Where the machines come from. */
export type MachinesArgs =
    ({ provider: "docker" } & Omit<DockerMachinesArgs, "stack">) | ({ provider: "existing" } & ExistingMachinesArgs);
