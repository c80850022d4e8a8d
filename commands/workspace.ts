import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { checkout, stateDirectory } from "../offline/checkout";
import { ToolchainError } from "../offline/errors";
import { stackName } from "../offline/stack-settings";
import type { Toolchain } from "../offline/toolchain";

/** The stack whose state may be made and thrown away without a question. */
export const devStack = "dev";

/** Name of the Pulumi project; state and locks lie in folders of this name. */
export const project = "postgres-ha";

const ownBackend = join(stateDirectory, "pulumi");
const ownBackendUrl = `file://${ownBackend}`;
const ownPassphrase = join(stateDirectory, "passphrase");

/** Folder of the local backend's files, when the state is kept in this checkout. */
export const ownBackendFiles = join(ownBackend, ".pulumi");

export interface Workspace {
    stack: string;
    /** The state lies in this checkout, and the user has chosen no backend. */
    ownsState: boolean;
    /** Complete environment for `pulumi`. */
    environment: NodeJS.ProcessEnv;
    /** What differs from the caller's environment, for `make env`. */
    additions: Record<string, string>;
}

/** True when the official CLI is logged in somewhere: then that is where the user wants the state. */
function isLoggedIn(toolchain: Toolchain | undefined): boolean {
    if (toolchain === undefined || toolchain.origins.pulumi === "offline") return false;
    const home = process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
    try {
        const { current } = JSON.parse(readFileSync(join(home, "credentials.json"), "utf8")) as { current?: string };
        return current !== undefined && current !== "";
    } catch {
        return false;
    }
}

/** Environment in which `pulumi` commands work on this checkout's stack. Nothing is written. */
export function openWorkspace(toolchain: Toolchain | undefined, stack: string = stackName()): Workspace {
    const chosen = process.env["PULUMI_BACKEND_URL"];
    const ownsState = chosen === undefined ? !isLoggedIn(toolchain) : chosen === ownBackendUrl;
    const additions: Record<string, string> = { ...toolchain?.environment };
    if (ownsState) {
        additions["PULUMI_BACKEND_URL"] = ownBackendUrl;
        if (usesOwnPassphrase(stack)) additions["PULUMI_CONFIG_PASSPHRASE_FILE"] = ownPassphrase;
    }
    const environment: NodeJS.ProcessEnv = { ...process.env, ...additions };
    // The kubernetes provider takes it as its default input: the state would change with the caller's shell.
    delete environment["KUBECONFIG"];
    return { stack, ownsState, environment, additions };
}

function usesOwnPassphrase(stack: string): boolean {
    const file = process.env["PULUMI_CONFIG_PASSPHRASE_FILE"];
    const isSet = process.env["PULUMI_CONFIG_PASSPHRASE"] !== undefined || file !== undefined;
    return stack === devStack && (file === ownPassphrase || !isSet);
}

/** A stack's secrets can be read: the passphrase is given, or this checkout's own. */
export function assertPassphrase({ stack, ownsState, environment }: Workspace): void {
    // A shell of `make env` has that of the dev stack, which is deleted with it.
    const isDevs = stack !== devStack && environment["PULUMI_CONFIG_PASSPHRASE_FILE"] === ownPassphrase;
    const isGiven = ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"].some((name) => name in environment);
    if (!ownsState || (isGiven && !isDevs)) return;
    throw new ToolchainError(
        `Stack ${stack} needs a passphrase for its secrets: one is generated for ${devStack} only.`,
        "Set PULUMI_CONFIG_PASSPHRASE_FILE to a file you keep, or choose a backend with PULUMI_BACKEND_URL.",
    );
}

/** Makes the local backend and, for the dev stack, a passphrase of its own. */
export function prepareState(workspace: Workspace): void {
    const { stack, ownsState, environment } = workspace;
    if (!ownsState) return;
    assertPassphrase(workspace);
    mkdirSync(ownBackend, { recursive: true });
    if (environment["PULUMI_CONFIG_PASSPHRASE_FILE"] === ownPassphrase && !existsSync(ownPassphrase)) {
        forgetEncryptionSalt(stack);
        writeFileSync(ownPassphrase, randomBytes(24).toString("base64url"), { mode: 0o600 });
    }
}

/**
 * Pulumi writes a salt into Pulumi.<stack>.yaml that fits one passphrase only. When that passphrase is gone, the salt
 * makes every later `stack init` fail.
 */
export function forgetEncryptionSalt(stack: string): void {
    const file = join(checkout, `Pulumi.${stack}.yaml`);
    if (!existsSync(file)) return;
    const text = readFileSync(file, "utf8");
    const without = text.replace(/^encryptionsalt:.*\n?/m, "");
    if (without !== text) writeFileSync(file, without);
}

/** True when the salt in Pulumi.<stack>.yaml belongs to a passphrase that this checkout made. */
export function hasOwnPassphrase({ environment }: Workspace): boolean {
    return environment["PULUMI_CONFIG_PASSPHRASE_FILE"] === ownPassphrase;
}

export { ownPassphrase as passphraseFile, stackName };
