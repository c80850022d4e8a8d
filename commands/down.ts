/** make down: destroys the stack and leaves nothing behind, whatever state it is in. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { docker } from "../components/docker-cli";
import { cacheRoot } from "../offline/cache";
import { stateDirectory } from "../offline/checkout";
import { engineAnswers, ensureDockerEngine, stopDockerEngine } from "../offline/docker-engine";
import { ToolchainError } from "../offline/errors";
import { duration, say } from "../offline/progress";
import { findUsableToolchain } from "../offline/toolchain";
import { clearPendingOperations, removeStaleLocks } from "./interrupted-run";
import { removeLeftovers } from "./leftovers";
import { main } from "./main";
import { pulumiOutput, runPulumi, unattended } from "./run-pulumi";
import {
    devStack,
    forgetEncryptionSalt,
    hasOwnPassphrase,
    openWorkspace,
    ownBackendFiles,
    project,
    stackName,
    type Workspace,
} from "./workspace";

/** The dev stack's machines are containers: what Pulumi has not destroyed by then goes with them. */
const destroyMs = 35_000;
const engine = { directory: join(cacheRoot(), "docker") };
const engineData = "/var/lib/postgres-ha-docker";

function stacksInState(): string[] {
    const folder = join(ownBackendFiles, "stacks", project);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
        .filter((file) => file.endsWith(".json"))
        .map((file) => file.slice(0, -".json".length));
}

/** Before anything goes: the engine refuses a protected resource only when it comes to it. */
async function refuseProtected(workspace: Workspace): Promise<void> {
    const exported = await pulumiOutput(workspace, ["stack", "export"]);
    const { deployment } = JSON.parse(exported ?? "{}") as { deployment?: { resources?: { protect?: boolean }[] } };
    if (deployment?.resources?.some(({ protect }) => protect === true) ?? false) {
        throw new ToolchainError(
            `Stack ${workspace.stack} protects its data (protectData); nothing was destroyed.`,
            `If it is meant to go: set postgres-ha:protectData to false, STACK=${workspace.stack} make up, then make down again.`,
        );
    }
}

/** Destroys with Pulumi; true when nothing of the stack is left in its state. */
async function destroy(workspace: Workspace): Promise<boolean> {
    const isDev = workspace.stack === devStack;
    const { status, interrupted, timedOut } = await runPulumi(
        workspace,
        ["destroy", ...unattended, "--continue-on-error"],
        isDev ? { deadlineMs: destroyMs, environment: { PULUMI_K8S_DELETE_UNREACHABLE: "true" } } : {},
    );
    if (interrupted) throw new ToolchainError("Interrupted.", "Run make down again to go on.");
    if (status === 0) return true;
    if (timedOut) say(`pulumi destroy did not end within ${duration(destroyMs)}.`);
    return false;
}

async function down(): Promise<number> {
    const started = Date.now();
    const stack = stackName();
    if (stack !== devStack && process.env["CONFIRM"] !== stack) {
        throw new ToolchainError(
            `make down destroys stack ${stack} with its data.`,
            `If that is meant: make down STACK=${stack} CONFIRM=${stack}`,
        );
    }
    // Containers and volumes of a stopped engine are still there, and start again with it.
    if (stack === devStack && !(await engineAnswers()) && existsSync(engineData)) await ensureDockerEngine(engine);
    const toolchain = await findUsableToolchain();
    const workspace = openWorkspace(toolchain, stack);
    const known = workspace.ownsState ? stacksInState().includes(stack) : toolchain !== undefined;
    if (known && toolchain !== undefined) await destroyWithPulumi(workspace);
    else if (stack !== devStack) throw new ToolchainError(`There is no stack ${stack} here.`, "See: pulumi stack ls");
    if (stack === devStack && (await engineAnswers()) && (await removeLeftovers(stack)) === 0) {
        say("No container, volume or network of the stack is left.");
    }
    removeState(workspace);
    await stopOwnEngine();
    say(`Stack ${stack} is gone (${duration(Date.now() - started)}).`);
    return 0;
}

/** Others may have come to use the engine that make up started. */
async function stopOwnEngine(): Promise<void> {
    const others = (await engineAnswers()) ? (await docker(["ps", "--quiet"])).split("\n").filter(Boolean).length : 0;
    if (others > 0) say(`The Docker engine goes on: ${others} containers of others run in it.`);
    else if (await stopDockerEngine(engine)) say("Stopped the Docker engine that make up had started.");
}

async function destroyWithPulumi(workspace: Workspace): Promise<void> {
    const { stack } = workspace;
    removeStaleLocks(workspace);
    await clearPendingOperations(workspace);
    if (stack !== devStack) await refuseProtected(workspace);
    const destroyed = await destroy(workspace);
    if (!destroyed && stack !== devStack) {
        throw new ToolchainError(
            `pulumi destroy of ${stack} failed (see above); its state is kept.`,
            "Mend what is named and run the same command again.",
        );
    }
    if (!destroyed) say("Removing the rest of the dev stack by its labels.");
    const force = destroyed ? [] : ["--force"];
    const answer = await pulumiOutput(workspace, ["stack", "rm", "--yes", "--preserve-config", ...force]);
    if (answer === undefined && !workspace.ownsState) {
        throw new ToolchainError(
            `Stack ${stack} is still in its backend: pulumi stack rm failed.`,
            `Look at what it says: pulumi stack rm ${force.join(" ")} --stack ${stack}`,
        );
    }
}

/** The salt in Pulumi.<stack>.yaml goes with the passphrase it fits; other stacks keep their state. */
function removeState(workspace: Workspace): void {
    if (!workspace.ownsState) return;
    const inState = stacksInState();
    if (inState.some((other) => other !== workspace.stack)) {
        if (!inState.includes(workspace.stack)) return;
        throw new ToolchainError(
            `Stack ${workspace.stack} is gone, but its state is not: ${ownBackendFiles} holds other stacks as well.`,
            `Run make build, then: eval "$(make -s env)" && pulumi stack rm --force --preserve-config --stack ${workspace.stack}`,
        );
    }
    if (hasOwnPassphrase(workspace)) forgetEncryptionSalt(workspace.stack);
    rmSync(stateDirectory, { recursive: true, force: true });
}

main(down);
