import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkout } from "../offline/checkout";
import { duration } from "../offline/progress";
import type { SuiteCounts } from "./suite-reporter";

export interface Result extends SuiteCounts {
    name: string;
    durationMs: number;
    /** Why it counts as failed, when no single test says so. */
    note?: string;
}

/** Time one test may take, by suite; a test that needs more says so itself. */
const timeouts = { unit: 30_000, component: 60_000, contract: 180_000, e2e: 900_000, trials: 900_000 };

export type SuiteName = keyof typeof timeouts;

export const isSuite = (name: string): name is SuiteName => name in timeouts;

function heading(name: string): void {
    process.stdout.write(`\n=== ${name} ===\n`);
}

function run(command: string, args: string[], environment: NodeJS.ProcessEnv = process.env): Promise<number> {
    return new Promise((resolve) => {
        const child = spawn(command, args, {
            cwd: checkout,
            env: environment,
            stdio: ["ignore", "inherit", "inherit"],
        });
        child.once("error", (error) => {
            process.stderr.write(`${command}: ${error.message}\n`);
            resolve(127);
        });
        child.once("close", (code) => resolve(code ?? 1));
    });
}

function testFiles(folder: string): string[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".test.ts"))
        .sort()
        .map((file) => join(folder, file));
}

/**
 * Runs one mocha suite, or those files of it that are named. A suite that ran no test, or that ended without a count,
 * has failed.
 */
export async function runSuite(name: SuiteName, environment?: NodeJS.ProcessEnv, only: string[] = []): Promise<Result> {
    heading(name);
    const started = Date.now();
    const files = only.length > 0 ? only : testFiles(join(checkout, "test", name));
    const directory = mkdtempSync(join(tmpdir(), "postgres-ha-suite-"));
    const countsFile = join(directory, "counts.json");
    const mocha = join(checkout, "node_modules", "mocha", "bin", "mocha.js");
    const reporter = join(__dirname, "suite-reporter.ts");
    const args = ["--import", "tsx", mocha, "--reporter", reporter, "--timeout", String(timeouts[name]), "--exit"];
    // With no file named, mocha would look for tests of its own choice.
    const status =
        files.length === 0
            ? 1
            : await run(process.execPath, [...args, ...files], {
                  ...process.env,
                  ...environment,
                  SUITE_COUNTS: countsFile,
              });
    const counts = readCounts(countsFile);
    rmSync(directory, { recursive: true, force: true });
    const result = { name, ...counts, durationMs: Date.now() - started };
    if (counts.passed + counts.failed === 0) return { ...result, failed: 1, note: "executed no test" };
    if (status !== 0 && counts.failed === 0) return { ...result, failed: 1, note: `mocha ended with status ${status}` };
    return result;
}

function readCounts(file: string): SuiteCounts {
    try {
        return JSON.parse(readFileSync(file, "utf8")) as SuiteCounts;
    } catch {
        return { passed: 0, failed: 0, skipped: 0, failures: [] };
    }
}

/** Runs commands that together are one check; all of them, so that one run shows everything. */
export async function runCheck(name: string, commands: string[][], environment?: NodeJS.ProcessEnv): Promise<Result> {
    heading(name);
    const started = Date.now();
    const broken: string[] = [];
    for (const [command = "", ...args] of commands) {
        const status = await run(command, args, { ...process.env, ...environment });
        if (status !== 0) broken.push([command.split("/").at(-1), ...args.slice(0, 2)].join(" "));
    }
    const failed = broken.length > 0 ? 1 : 0;
    const note = failed > 0 ? { note: `failed: ${broken.join(", ")}` } : {};
    return { name, passed: 1 - failed, failed, skipped: 0, failures: [], durationMs: Date.now() - started, ...note };
}

export function summaryRow({ name, passed, failed, skipped, durationMs, note }: Omit<Result, "failures">): string[] {
    return [name, String(passed), String(failed), String(skipped), duration(durationMs), note ?? ""];
}

/** What failed, a line each, for the end of the output: the last lines are what a build server shows. */
export function printFailures(results: Result[]): void {
    for (const { name, failures } of results) {
        for (const failure of failures) process.stdout.write(`failed in ${name}: ${failure}\n`);
    }
}
