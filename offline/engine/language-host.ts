import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/language_pb";
import * as plugins from "@pulumi/pulumi/proto/plugin_pb";
import { EngineLog } from "./engine-log";
import { answeredVersion, introduce, LANGUAGE_HOST } from "./identity";
import { optionEnvironment } from "./language-options";
import { about, getProgramDependencies, getRequiredPackages, type Program, programOf } from "./language-queries";
import { resolvePackageManager } from "./node-packages";
import { engineAddressFrom, serve, Unimplemented } from "./rpc";

// The program gets the engine's own monitor address: the official host puts a proxy between them for synchronous
// invokes, which SDKs of this major version no longer make.

// The SDK's run script ends with this code when it has already told the user what is wrong.
const EXIT_AFTER_USER_MESSAGE = 32;
const CANCEL_GRACE_MILLISECONDS = 5000;

const log = new EngineLog();
const children = new Set<ChildProcess>();
let engineAddress = "";

function locateModule(name: string, directory: string): string {
    try {
        return createRequire(join(directory, "package.json")).resolve(name);
    } catch {
        throw new Error(
            `It looks like the Pulumi SDK has not been installed: ${name} is not found from ${directory}. Run pulumi install.`,
        );
    }
}

function track(child: ChildProcess): ChildProcess {
    children.add(child);
    child.on("exit", () => children.delete(child));
    return child;
}

function cancelChildren(): void {
    for (const child of children) {
        child.kill("SIGINT");
        setTimeout(() => child.kill("SIGKILL"), CANCEL_GRACE_MILLISECONDS).unref();
    }
}

/** Old SDKs read `namespace:config:name`; all read it. */
export function programConfig(entries: readonly (readonly [string, string])[]): string {
    const renamed = entries.map(([key, value]) => {
        const colon = key.indexOf(":");
        const plain = colon < 0 || key.slice(colon + 1).startsWith("config:");
        return [plain ? key : `${key.slice(0, colon)}:config:${key.slice(colon + 1)}`, value] as const;
    });
    return JSON.stringify(Object.fromEntries(renamed));
}

function runArguments(request: messages.RunRequest, program: Program, runPath: string): string[] {
    const named: [string, string][] = [
        ["monitor", request.getMonitorAddress()],
        ["engine", engineAddress],
        ["organization", request.getOrganization()],
        ["project", request.getProject()],
        ["root-directory", program.root],
        ["stack", request.getStack()],
        ["pwd", program.directory],
        ["parallel", String(request.getParallel())],
    ];
    return [
        ...program.options.nodeArguments,
        runPath,
        ...named.filter(([, value]) => value !== "").flatMap(([name, value]) => [`--${name}`, value]),
        ...(request.getDryrun() ? ["--dry-run"] : []),
        program.entryPoint,
        ...request.getArgsList(),
    ];
}

function runResponse(error: string, bail = false): messages.RunResponse {
    const response = new messages.RunResponse();
    response.setError(error);
    response.setBail(bail);
    return response;
}

async function run(request: messages.RunRequest): Promise<messages.RunResponse> {
    let program: Program;
    let runPath: string;
    try {
        program = programOf(request);
        runPath = locateModule("@pulumi/pulumi/cmd/run", program.directory);
    } catch (error) {
        return runResponse((error as Error).message);
    }
    log.info(introduce(LANGUAGE_HOST));
    const child = track(
        spawn(process.execPath, runArguments(request, program, runPath), {
            env: {
                ...process.env,
                ...optionEnvironment(program.options),
                PULUMI_CONFIG: programConfig(request.getConfigMap().getEntryList()),
                PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
            },
            stdio: ["ignore", "inherit", "inherit"],
        }),
    );
    return new Promise((resolve) => {
        child.on("error", (error) => {
            resolve(runResponse(`Problem executing program (could not run ${process.execPath}): ${error.message}`));
        });
        child.on("exit", (code, signal) => {
            if (code === 0) resolve(runResponse(""));
            else if (code === EXIT_AFTER_USER_MESSAGE) resolve(runResponse("", true));
            else
                resolve(
                    runResponse(`Program exited with ${signal ? `signal ${signal}` : `non-zero exit code: ${code}`}`),
                );
        });
    });
}

/** Runs a command and passes its output on as it comes; its exit code is the result. */
function stream(
    command: string,
    args: readonly string[],
    options: { cwd: string; env: NodeJS.ProcessEnv },
    write: (output: "stdout" | "stderr", data: Buffer) => void,
): Promise<number> {
    const child = track(spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] }));
    child.stdout?.on("data", (data: Buffer) => write("stdout", data));
    child.stderr?.on("data", (data: Buffer) => write("stderr", data));
    return new Promise((resolve, reject) => {
        child.on("error", (error) => reject(new Error(`cannot run ${command}: ${error.message}`)));
        child.on("close", (code) => resolve(code ?? 1));
    });
}

async function installDependencies(
    call: ServerWritableStream<messages.InstallDependenciesRequest, messages.InstallDependenciesResponse>,
): Promise<void> {
    const { directory, options } = programOf(call.request);
    const manager = resolvePackageManager(options.packageManager, directory);
    const production = options.production ? [manager === "npm" ? "--omit=dev" : "--production"] : [];
    const code = await stream(
        manager,
        ["install", ...production],
        { cwd: directory, env: process.env },
        (output, data) => {
            const response = new messages.InstallDependenciesResponse();
            if (output === "stdout") response.setStdout(data);
            else response.setStderr(data);
            call.write(response);
        },
    );
    if (code !== 0) throw new Error(`${manager} install in ${directory} ended with exit code ${code}`);
}

async function runPlugin(
    call: ServerWritableStream<messages.RunPluginRequest, messages.RunPluginResponse>,
): Promise<void> {
    const request = call.request;
    const { directory, options } = programOf(request);
    const policy = request.getKind() === "analyzer";
    const runPath = locateModule(`@pulumi/pulumi/cmd/${policy ? "run-policy-pack" : "run-plugin"}`, directory);
    // A policy pack takes its own directory last, everything else first.
    const args = policy ? [...request.getArgsList(), directory] : [directory, ...request.getArgsList()];
    const env = Object.fromEntries(
        request.getEnvList().map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
    const code = await stream(
        process.execPath,
        [...options.nodeArguments, runPath, ...args],
        { cwd: policy ? directory : request.getPwd(), env: { ...env, ...optionEnvironment(options) } },
        (output, data) => {
            const response = new messages.RunPluginResponse();
            if (output === "stdout") response.setStdout(data);
            else response.setStderr(data);
            call.write(response);
        },
    );
    const last = new messages.RunPluginResponse();
    last.setExitcode(code);
    call.write(last);
}

function unsupported(what: string): () => never {
    return () => {
        throw new Unimplemented(
            `${introduce(LANGUAGE_HOST)} cannot ${what}: use the official pulumi distribution for that`,
        );
    };
}

function main(): void {
    const args = process.argv.slice(2);
    if (answeredVersion(LANGUAGE_HOST, args)) return;
    engineAddress = engineAddressFrom(args);
    log.connect(engineAddress);
    serve(
        LanguageRuntimeService,
        {
            unary: {
                handshake(request: messages.LanguageHandshakeRequest) {
                    engineAddress = request.getEngineAddress();
                    log.connect(engineAddress);
                    return new messages.LanguageHandshakeResponse();
                },
                getPluginInfo() {
                    const info = new plugins.PluginInfo();
                    info.setVersion(LANGUAGE_HOST.version);
                    return info;
                },
                getRequiredPackages,
                run,
                getProgramDependencies,
                about,
                runtimeOptionsPrompts: () => new messages.RuntimeOptionsResponse(),
                template: () => new messages.TemplateResponse(),
                cancel: cancelChildren,
                generateProgram: unsupported("convert programs"),
                generateProject: unsupported("convert projects"),
                generatePackage: unsupported("generate SDKs"),
                pack: unsupported("pack SDKs"),
                link: unsupported("link SDKs"),
            },
            streaming: { installDependencies, runPlugin },
        },
        cancelChildren,
    );
}

main();
