import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { ToolchainError } from "./errors";

const tailLines = 20;
const children = new Set<ChildProcess>();

export interface LoggedOptions {
    /** Receives everything the command prints; started anew for each step. */
    log: string;
    cwd?: string;
    environment?: Record<string, string>;
    onLine?: (line: string) => void;
    /** What to do when it fails, as one sentence. */
    retry: string;
}

/** The last lines of a log, for an error message. */
export function tailOf(log: string): string {
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    return lines
        .slice(-tailLines)
        .map((line) => `    ${line}`)
        .join("\n");
}

/** Ends the commands that still run: a build that nobody waits for only holds the processors. */
export function endRunningCommands(): void {
    for (const child of children) child.kill("SIGTERM");
}

function endWithChildren(signal: NodeJS.Signals): void {
    endRunningCommands();
    process.stderr.write("\nInterrupted; what was finished is kept. Run the same command again to go on.\n");
    process.exit(128 + constants.signals[signal]);
}

const interrupts = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function track(child: ChildProcess): void {
    if (children.size === 0) for (const signal of interrupts) process.on(signal, endWithChildren);
    children.add(child);
}

function untrack(child: ChildProcess): void {
    children.delete(child);
    if (children.size === 0) for (const signal of interrupts) process.off(signal, endWithChildren);
}

/** Runs a command with its output in a log file; a failure names the command, the log's end and what to do. */
export async function runLogged(command: string, args: string[], options: LoggedOptions): Promise<void> {
    const log = openSync(options.log, "w");
    try {
        const child = spawn(command, args, {
            cwd: options.cwd,
            env: { ...process.env, ...options.environment },
            stdio: ["ignore", "pipe", "pipe"],
        });
        track(child);
        for (const stream of [child.stdout, child.stderr]) {
            createInterface({ input: stream }).on("line", (line) => {
                writeSync(log, `${line}\n`);
                options.onLine?.(line);
            });
        }
        const outcome = await new Promise<string>((resolve) => {
            child.once("error", (error) => resolve(error.message));
            child.once("close", (code, signal) =>
                resolve(code === 0 ? "" : `ended with ${signal ?? `status ${code}`}`),
            );
        });
        untrack(child);
        if (outcome === "") return;
        throw new ToolchainError(
            `Command: ${[command, ...args].join(" ")}\n${outcome}; its last lines:\n${tailOf(options.log)}\nLog: ${options.log}`,
            options.retry,
        );
    } finally {
        closeSync(log);
    }
}

/** Standard output of a short command, trimmed; undefined when it fails or is not there. */
export function outputOf(
    command: string,
    args: string[],
    environment: Record<string, string> = {},
): string | undefined {
    const result = spawnSync(command, args, {
        encoding: "utf8",
        env: { ...process.env, ...environment },
        stdio: ["ignore", "pipe", "ignore"],
        timeout: 30_000,
    });
    return result.status === 0 ? result.stdout.trim() : undefined;
}

/** Path of a command on PATH. */
export function findCommand(name: string): string | undefined {
    return outputOf("sh", ["-c", `command -v "$1"`, "sh", name]);
}
