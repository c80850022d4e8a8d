import type { MachineAccess } from "../../components/machines/machine";
import { ToolchainError } from "../../offline/errors";
import { presentToolchain } from "../present-toolchain";
import { pulumiOutput } from "../run-pulumi";
import { assertPassphrase, openWorkspace, type Workspace } from "../workspace";

/** A resource as `pulumi stack export --show-secrets` has it, its secrets unwrapped. */
export interface StateResource {
    urn: string;
    type: string;
    inputs: Record<string, unknown>;
    outputs: Record<string, unknown>;
}

export interface StackOutputs {
    connectionString: string;
    readOnlyConnectionString: string;
    caCertificate: string;
    kubeconfig: string;
    endpoints: { readWrite: string[]; readOnly: string[]; statistics: string[] };
    /** Missing in a stack without backups. */
    backup?: { stanza: string; repository: string; passphrase: string; latestRecoverableTime: string };
}

export interface KnownMachine {
    name: string;
    role: string;
    access: MachineAccess;
    /** Name of its container, when the docker provider made it. */
    container?: string;
}

interface FixedAddress {
    name: string;
    address: string;
}

/** The backup runner's API. */
export interface BackupAccess {
    /** Of its Service, inside the cluster. */
    address: string;
    tls: { ca: string; cert: string; key: string };
}

/** What Pulumi's state knows of a stack: how to reach every part of it, without asking Kubernetes first. */
export interface StackState {
    stack: string;
    cluster: string;
    namespace: string;
    outputs: StackOutputs;
    machines: KnownMachine[];
    instances: FixedAddress[];
    etcdMembers: FixedAddress[];
    patroniAuthority: string;
    etcdAccess: { ca: string; cert: string; key: string };
    /** Undefined in a stack without backups. */
    backup?: BackupAccess;
    resources: StateResource[];
}

const secretMark = "4dabf18193072939515e22adb298388d";

/** The plain value of what may hold Pulumi's secret wrappers at any depth. */
export function unwrapSecrets(value: unknown): unknown {
    if (Array.isArray(value)) {
        return value.map(unwrapSecrets);
    }
    if (typeof value !== "object" || value === null) {
        return value;
    }
    const { plaintext } = value as { plaintext?: string };
    if (secretMark in value && plaintext !== undefined) {
        return unwrapSecrets(JSON.parse(plaintext));
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrapSecrets(inner)]));
}

/** The tools and the stack of this checkout, as `make up` left them. */
export async function openStack(): Promise<Workspace> {
    return openWorkspace(await presentToolchain());
}

export async function readStackState(workspace: Workspace): Promise<StackState> {
    assertPassphrase(workspace);
    let said = "";
    const text = await pulumiOutput(workspace, ["stack", "export", "--show-secrets"], {
        onError: (all) => (said = all),
    });
    if (text === undefined) {
        const isMissing = /no stack named|no such file or directory/.test(said);
        throw new ToolchainError(
            isMissing
                ? `There is no stack ${workspace.stack} here.`
                : `Pulumi cannot read stack ${workspace.stack}: ${said}`,
            isMissing ? "Run make up first." : "Correct that, or look with `pulumi stack export`.",
        );
    }
    const { deployment } = JSON.parse(text) as { deployment: { resources?: StateResource[] } | null };
    const resources = (deployment?.resources ?? []).map(({ urn, type, inputs, outputs }) => ({
        urn,
        type,
        inputs: unwrapSecrets(inputs ?? {}) as Record<string, unknown>,
        outputs: unwrapSecrets(outputs ?? {}) as Record<string, unknown>,
    }));
    return stackStateOf(workspace.stack, resources);
}

const dynamic = (type: string): string => `pulumi-nodejs:dynamic/postgresha:${type}`;

export function stackStateOf(stack: string, resources: StateResource[]): StackState {
    const ofType = <Outputs>(type: string) =>
        resources.filter((resource) => resource.type === type).map(({ outputs }) => outputs as Outputs);
    const outputs = ofType<StackOutputs>("pulumi:pulumi:Stack")[0];
    const [database] = ofType<{ cluster: string; namespace: string; instances: string[] }>(dynamic("PatroniState"));
    if (outputs?.connectionString === undefined || database === undefined) {
        throw new ToolchainError(
            `Stack ${stack} has no connection string: its last update did not end well.`,
            "Run make up again.",
        );
    }
    const named = (type: string, end: string): Record<string, string> =>
        (resources.find((resource) => resource.type === dynamic(type) && resource.urn.endsWith(end))?.outputs ??
            {}) as Record<string, string>;
    const client = named("Certificate", "-etcd-client");
    return {
        stack,
        cluster: database.cluster,
        namespace: database.namespace,
        outputs,
        machines: machinesOf(ofType, dynamic),
        instances: fixedAddresses(resources, "postgresql"),
        etcdMembers: fixedAddresses(resources, "etcd"),
        patroniAuthority: named("CertificateAuthority", "-api-ca")["certificate"] ?? "",
        etcdAccess: {
            ca: named("CertificateAuthority", "-etcd-ca")["certificate"] ?? "",
            cert: client["certificate"] ?? "",
            key: client["privateKey"] ?? "",
        },
        backup: backupAccess(resources, named),
        resources,
    };
}

function backupAccess(
    resources: StateResource[],
    named: (type: string, end: string) => Record<string, string>,
): BackupAccess | undefined {
    const service = resources.find(
        ({ type, urn }) => type === "kubernetes:core/v1:Service" && urn.endsWith("-backup-service"),
    );
    const { spec } = (service?.outputs ?? {}) as { spec?: { clusterIP?: string } };
    const runner = named("Certificate", "-pgbackrest-runner");
    return spec?.clusterIP === undefined
        ? undefined
        : {
              address: spec.clusterIP,
              tls: {
                  ca: named("CertificateAuthority", "-pgbackrest-ca")["certificate"] ?? "",
                  cert: runner["certificate"] ?? "",
                  key: runner["privateKey"] ?? "",
              },
          };
}

function machinesOf(ofType: <T>(type: string) => T[], type: (name: string) => string): KnownMachine[] {
    // The power resource outlives a refresh that drops a lost machine, so its container's name is still known.
    const containers = new Map(
        ofType<{ container: string; access: MachineAccess }>(type("MachinePower")).map(({ container, access }) => [
            access.name,
            container,
        ]),
    );
    return ofType<{ node: string; role: string; access: MachineAccess }>(type("K3sNode")).map((node) => ({
        name: node.node,
        role: node.role,
        access: node.access,
        container: containers.get(node.node),
    }));
}

interface ServiceInputs {
    metadata: { name: string; labels?: Record<string, string> };
    spec: { clusterIP?: string };
}

/** The per-pod Services of a component. */
function fixedAddresses(resources: StateResource[], component: string): FixedAddress[] {
    return resources
        .filter(({ type }) => type === "kubernetes:core/v1:Service")
        .map(({ inputs }) => inputs as unknown as ServiceInputs)
        .filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/name"] === component)
        .flatMap(({ metadata, spec }) =>
            spec.clusterIP === undefined || spec.clusterIP === "None"
                ? []
                : [{ name: metadata.name, address: spec.clusterIP }],
        )
        .sort((a, b) => a.name.localeCompare(b.name));
}
