import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../offline/checkout";
import { ToolchainError } from "../offline/errors";
import type { Workspace } from "./workspace";

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Options of an update that nobody watches. */
export const unattended = ["--yes", "--skip-preview", "--suppress-outputs"];
/** Signals within this time are one press of Ctrl-C that arrives by several ways. */
const oncePerMs = 2000;
/** After the deadline: time to finish the running steps, before the process is ended. */
const graceMs = 6000;

export interface Outcome {
    /** As a shell would give it: 128 and the signal's number when a signal ended it. */
    status: number;
    /** A signal of the user's was passed on. */
    interrupted: boolean;
    timedOut: boolean;
}

/**
 * Runs `pulumi` with its output on this terminal. It is a process group of its own: Ctrl-C reaches only this process,
 * which passes it on once, so that running steps finish and the state is saved. A second press ends it at once.
 */
export async function runPulumi(
    workspace: Workspace,
    args: string[],
    options: { deadlineMs?: number; quiet?: boolean; environment?: Record<string, string> } = {},
): Promise<Outcome> {
    // The official kubernetes plugin leaves the administrator's kubeconfig there at every run.
    const temporary = mkdtempSync(join(tmpdir(), "postgres-ha-pulumi-"));
    const child = spawn("pulumi", [...args, "--stack", workspace.stack, "--non-interactive", "--color", color()], {
        cwd: checkout,
        env: { ...workspace.environment, ...options.environment, TMPDIR: temporary },
        stdio: ["ignore", options.quiet === true ? "ignore" : "inherit", "inherit"],
        detached: true,
    });
    const timers: NodeJS.Timeout[] = [];
    let last = 0;
    let interrupted = false;
    let timedOut = false;
    const forward = (): void => {
        if (Date.now() - last < oncePerMs) return;
        last = Date.now();
        interrupted = true;
        child.kill("SIGINT");
    };
    for (const signal of forwarded) process.on(signal, forward);
    if (options.deadlineMs !== undefined) {
        const stop = (): void => {
            timedOut = true;
            child.kill("SIGINT");
            timers.push(setTimeout(() => endGroup(child.pid), graceMs));
        };
        timers.push(setTimeout(stop, options.deadlineMs));
    }
    try {
        const status = await new Promise<number>((resolve, reject) => {
            child.once("error", reject);
            child.once("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
        });
        return { status, interrupted, timedOut };
    } finally {
        timers.forEach(clearTimeout);
        for (const signal of forwarded) process.off(signal, forward);
        rmSync(temporary, { recursive: true, force: true });
    }
}

function color(): string {
    return process.stdout.isTTY && process.env["NO_COLOR"] === undefined ? "always" : "never";
}

/** The plugins too: one that waits for an unreachable cluster would outlive the CLI. */
function endGroup(pid: number | undefined): void {
    if (pid === undefined) return;
    try {
        process.kill(-pid, "SIGKILL");
    } catch {
        // It has ended by itself.
    }
}

/** Standard output of a short `pulumi` command; undefined when it fails, and then `onError` is told what it said. */
export async function pulumiOutput(
    workspace: Workspace,
    args: string[],
    { input, onError }: { input?: string; onError?: (said: string) => void } = {},
): Promise<string | undefined> {
    const child = spawn("pulumi", [...args, "--stack", workspace.stack, "--non-interactive"], {
        cwd: checkout,
        env: workspace.environment,
        stdio: ["pipe", "pipe", "pipe"],
    });
    const chunks: Buffer[] = [];
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
    const status = await new Promise<number | null>((resolve) => {
        child.once("error", () => resolve(null));
        child.once("close", resolve);
    });
    if (status === 0) {
        return Buffer.concat(chunks).toString("utf8");
    }
    onError?.(said.trim());
    return undefined;
}

/** Makes the stack when it is missing, and selects it for the shell of `make env`. */
export async function selectStack(workspace: Workspace): Promise<void> {
    const outcome = await runPulumi(workspace, ["stack", "select", "--create"], { quiet: true });
    if (outcome.status === 0) return;
    throw new ToolchainError(
        `The stack ${workspace.stack} can be neither selected nor created (see above).`,
        "An incorrect passphrase means that Pulumi's file for this stack holds a salt of another one: unset the PULUMI_CONFIG_PASSPHRASE variables, or remove its line `encryptionsalt:` if nothing is encrypted there.",
    );
}
