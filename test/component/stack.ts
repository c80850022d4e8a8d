import type { PostgresHAArgs } from "../../components/postgres-ha-args";
import { PostgresHA } from "../../components/postgres-ha";
import { deploy, type Deployment, type DeployOptions, type Recorded } from "./mocks";

/** The arguments of the dev stack, as Pulumi.dev.yaml and the dev profile give them. */
export const devArguments = (): PostgresHAArgs => ({
    stack: "dev",
    machines: {
        provider: "docker",
        subnet: "172.30.0.0/24",
        machines: [1, 2, 3].map((number) => ({ name: `machine-${number}`, address: `172.30.0.1${number}` })),
    },
    etcd: { resources: { cpu: "100m", memory: "256Mi" } },
    postgres: { sharedBuffers: "256MB", maxConnections: 200, resources: { cpu: "200m", memory: "1536Mi" } },
    backup: { repository: { provider: "docker", machine: { name: "store", address: "172.30.0.20" } } },
});

export const deployPostgres = (args: PostgresHAArgs, options?: DeployOptions): Promise<Deployment<PostgresHA>> =>
    deploy(() => new PostgresHA("postgres", args), options);

let dev: Promise<Deployment<PostgresHA>> | undefined;

/** The dev stack, built once for all tests that only look at it. */
export const devStack = (): Promise<Deployment<PostgresHA>> => (dev ??= deployPostgres(devArguments()));

/** Short type: `Service` of `kubernetes:core/v1:Service`. */
export const kind = ({ type }: Recorded): string => type.split(":").pop() ?? "";

export function find(resources: Recorded[], wantedKind: string, name: string): Recorded {
    const found = resources.filter((resource) => kind(resource) === wantedKind && resource.name === name);
    if (found.length !== 1 || found[0] === undefined) {
        const there = resources.map((resource) => `${kind(resource)} ${resource.name}`).join(", ");
        throw new Error(`${found.length} resources ${wantedKind} ${name}; there are: ${there}`);
    }
    return found[0];
}

/** Everything a resource waits for, at any distance. */
export function ancestors(resources: Recorded[], resource: Recorded): Set<string> {
    const seen = new Set<string>();
    const visit = ({ dependencies }: Recorded): void => {
        for (const urn of dependencies.filter((each) => !seen.has(each))) {
            seen.add(urn);
            resources.filter((each) => each.urn === urn).forEach(visit);
        }
    };
    visit(resource);
    return new Set(resources.filter(({ urn }) => seen.has(urn)).map((each) => `${kind(each)} ${each.name}`));
}

/** Kubernetes objects, but not the provider. */
export const objects = (resources: Recorded[]): Recorded[] =>
    resources.filter(({ type }) => type.startsWith("kubernetes:"));
