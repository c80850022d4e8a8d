import * as pulumi from "@pulumi/pulumi";

/**
 * A deployment under Pulumi's mocks, with everything the program sent to the engine. The mocks answer as the engine
 * does where secrets matter: what a resource declares in `additionalSecretOutputs`, and what was sent as a secret,
 * comes back as one. They run no provider and no engine: that the real ones keep the marks is not proven here.
 */
export interface Recorded {
    urn: string;
    type: string;
    name: string;
    /** URN of the parent; empty for none. */
    parent: string;
    custom: boolean;
    /** Inputs as sent, without the marks of secrets. */
    inputs: Record<string, unknown>;
    /** Inputs as sent, every secret inside `{ [signatureKey]: secretSignature, value }`. */
    wire: Record<string, unknown>;
    dependencies: string[];
    deletedWith: string;
    protect: boolean;
    retainOnDelete: boolean;
    ignoreChanges: string[];
    additionalSecretOutputs: string[];
    provider: string;
    /** What `registerOutputs` sent; undefined before it was called. */
    outputs?: Record<string, unknown>;
}

export interface Deployment<Result> {
    result: Result;
    resources: Recorded[];
}

export interface DeployOptions {
    stack?: string;
    /** A preview: what no mock answers is unknown. */
    preview?: boolean;
    /** Types whose outputs a preview knows from an earlier update (matched by their ending). */
    known?: string[];
}

export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** Fields the mocks make up, by the resource's type; those with a secret value start with `SECRET`. */
const madeUp: Record<string, string[]> = {
    "random:index/randomPassword:RandomPassword": ["result"],
    "pulumi-nodejs:dynamic/postgresha:CertificateAuthority": ["certificate", "privateKey"],
    "pulumi-nodejs:dynamic/postgresha:Certificate": ["certificate", "privateKey"],
    "pulumi-nodejs:dynamic/postgresha:SigningKey": ["privateKey"],
    "pulumi-nodejs:dynamic/postgresha:KeyPair": ["publicKey", "privateKey"],
    "pulumi-nodejs:dynamic/postgresha:DockerMachine": ["instance"],
    "pulumi-nodejs:dynamic/postgresha:ExistingMachine": ["instance"],
    "pulumi-nodejs:dynamic/postgresha:PatroniState": ["status"],
    "pulumi-nodejs:dynamic/postgresha:K3sIdentity": ["identity"],
};

const isSecretField = (field: string): boolean => field === "result" || field === "privateKey";

/** What the mocks answer for a field, so that tests can look for it. */
export const answerFor = (name: string, field: string): string =>
    `${isSecretField(field) ? "SECRET" : "PUBLIC"}-${name}-${field}`;

/** Every secret value the mocks made up in a deployment. */
export const secretValues = (resources: Recorded[]): string[] =>
    resources.flatMap(({ type, name }) =>
        (madeUp[type] ?? []).filter(isSecretField).map((field) => answerFor(name, field)),
    );

interface Request {
    getType(): string;
    getName(): string;
    getParent(): string;
    getCustom(): boolean;
    getObject(): { toJavaScript(): Record<string, unknown> } | undefined;
    getDependenciesList(): string[];
    getDeletedwith(): string;
    getProtect(): boolean;
    getRetainondelete(): boolean;
    getIgnorechangesList(): string[];
    getAdditionalsecretoutputsList(): string[];
    getProvider(): string;
}

interface Answer {
    getUrn(): string;
}

interface OutputsRequest {
    getUrn(): string;
    getOutputs(): { toJavaScript(): Record<string, unknown> };
}

type Callback = (error: unknown, answer: Answer) => void;

interface Monitor {
    registerResource(request: Request, callback: Callback): void;
    registerResourceOutputs(request: OutputsRequest, callback: Callback): void;
}

export const isSecretOnWire = (value: unknown): value is { value: unknown } =>
    typeof value === "object" && value !== null && (value as Record<string, unknown>)[signatureKey] === secretSignature;

export function unwrapped(value: unknown): unknown {
    if (isSecretOnWire(value)) {
        return unwrapped(value.value);
    }
    if (Array.isArray(value)) {
        return value.map(unwrapped);
    }
    return typeof value === "object" && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrapped(inner)]))
        : value;
}

/** Builds something under mocks and waits until everything of it was sent. */
export async function deploy<Result>(
    build: () => Result | Promise<Result>,
    options: DeployOptions = {},
): Promise<Deployment<Result>> {
    const resources: Recorded[] = [];
    await pulumi.runtime.setMocks(
        {
            call: ({ inputs }) => inputs as Record<string, unknown>,
            newResource: ({ type, name }) => answer(type, name, resources, options),
        },
        "postgres-ha",
        options.stack ?? "dev",
        options.preview ?? false,
    );
    record(pulumi.runtime.getMonitor() as unknown as Monitor, resources);
    const result = await build();
    // Public in the SDK's JavaScript, left out of its types.
    await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
    return { result, resources };
}

function answer(type: string, name: string, resources: Recorded[], options: DeployOptions) {
    const sent = resources.find((resource) => resource.type === type && resource.name === name);
    const known = !options.preview || (options.known ?? []).some((ending) => type.endsWith(ending));
    const made = known ? Object.fromEntries((madeUp[type] ?? []).map((field) => [field, answerFor(name, field)])) : {};
    const secret = new Set(sent?.additionalSecretOutputs);
    const state = Object.entries({ ...sent?.wire, ...made }).map(([field, value]): [string, unknown] => {
        const plain = unwrapped(value);
        return [
            field,
            secret.has(field) || JSON.stringify(value).includes(secretSignature) ? pulumi.secret(plain) : plain,
        ];
    });
    return { id: known ? `${name}-id` : undefined, state: Object.fromEntries(state) };
}

function record(monitor: Monitor, resources: Recorded[]): void {
    const register = monitor.registerResource.bind(monitor);
    const registerOutputs = monitor.registerResourceOutputs.bind(monitor);
    monitor.registerResource = (request, callback) => {
        const wire = request.getObject()?.toJavaScript() ?? {};
        const recorded: Recorded = {
            urn: "",
            type: request.getType(),
            name: request.getName(),
            parent: request.getParent(),
            custom: request.getCustom(),
            inputs: unwrapped(wire) as Record<string, unknown>,
            wire,
            dependencies: request.getDependenciesList(),
            deletedWith: request.getDeletedwith(),
            protect: request.getProtect(),
            retainOnDelete: request.getRetainondelete(),
            ignoreChanges: request.getIgnorechangesList(),
            additionalSecretOutputs: request.getAdditionalsecretoutputsList(),
            provider: request.getProvider(),
        };
        resources.push(recorded);
        register(request, (error, answered) => {
            recorded.urn = error ? "" : answered.getUrn();
            callback(error, answered);
        });
    };
    monitor.registerResourceOutputs = (request, callback) => {
        const recorded = resources.find(({ urn }) => urn === request.getUrn());
        if (recorded) {
            recorded.outputs = request.getOutputs().toJavaScript();
        }
        registerOutputs(request, callback);
    };
}

/** The value of an output once everything is registered; undefined when it is unknown. */
export const valueOf = <T>(output: pulumi.Output<T>): Promise<T> =>
    (output as unknown as { promise(): Promise<T> }).promise();

export const isKnown = (output: pulumi.Output<unknown>): Promise<boolean> =>
    (output as unknown as { isKnown: Promise<boolean> }).isKnown;
