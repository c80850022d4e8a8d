import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { checkout } from "../offline/checkout";
import { duration } from "../offline/progress";
import type { SuiteCounts } from "./suite-reporter";

export interface Result extends SuiteCounts {
    name: string;
    durationMs: number;
    /** Why it counts as failed, when no single test says so. */
    note?: string;
}

/** Of a failed check, for the end of the output. */
const keptLines = 25;
/** The same of each error that it reported before: the engine prints a long step's progress after its error. */
const keptErrorLines = 20;

/** Time one test may take, by suite; a test that needs more says so itself. */
const timeouts = { unit: 30_000, component: 60_000, contract: 180_000, e2e: 900_000 };

export type SuiteName = keyof typeof timeouts;

export const isSuite = (name: string): name is SuiteName => name in timeouts;

function heading(name: string): void {
    process.stdout.write(`\n=== ${name} ===\n`);
}

interface Ended {
    status: number;
    /** What it reported as errors, and the last lines that it printed; none on a terminal, where they were seen. */
    tail: string[];
}

/** Not on a terminal its output goes through here: a build server shows the end of all only, which shall say why. */
function run(command: string, args: string[], environment: NodeJS.ProcessEnv = process.env): Promise<Ended> {
    const output = process.stdout.isTTY ? "inherit" : "pipe";
    return new Promise((resolve) => {
        const child = spawn(command, args, { cwd: checkout, env: environment, stdio: ["ignore", output, output] });
        let tail = "";
        for (const stream of [child.stdout, child.stderr]) {
            stream?.on("data", (chunk: Buffer) => {
                process.stdout.write(chunk);
                tail = (tail + chunk.toString()).slice(-100_000);
            });
        }
        const end = (status: number): void => {
            resolve({ status, tail: tellingLines(tail.split("\n").filter((line) => line.trim() !== "")) });
        };
        child.once("error", (error) => {
            tail += `${command}: ${error.message}\n`;
            end(127);
        });
        child.once("close", (code) => end(code ?? 1));
    });
}

/** Errors with what follows them, then the end; no line twice. */
export function tellingLines(lines: string[]): string[] {
    const end = Math.max(0, lines.length - keptLines);
    const starts = lines.flatMap((line, index) => (/^\s*error: /.test(line) ? [index] : []));
    const isTold = (index: number): boolean =>
        index >= end || starts.some((start) => index >= start && index < start + keptErrorLines);
    return lines.filter((_, index) => isTold(index));
}

/**
 * End-to-end files that a run which is short of time (TEST_MINUTES) can do without most easily: they come last, the shortest
 * at the end, so that what has begun by then does not take long.
 */
const canWait = [
    "lost-lock",
    "backup-under-faults",
    "restore-from-another-repository",
    "drills-can-fail",
    "runbooks",
    "object-store",
    "certificate-renewal",
].map((name) => `${name}.test.ts`);

function testFiles(folder: string): string[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((file) => file.endsWith(".test.ts"))
        .sort((a, b) => canWait.indexOf(a) - canWait.indexOf(b) || a.localeCompare(b))
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
    const { status } =
        files.length === 0
            ? { status: 1 }
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
    const failures: string[] = [];
    for (const [command = "", ...args] of commands) {
        const { status, tail } = await run(command, args, { ...process.env, ...environment });
        const spoken = [command, ...args].map((word) => basename(word)).join(" ");
        if (status !== 0) failures.push([`${spoken}: status ${status}`, ...tail].join("\n    "));
    }
    const failed = failures.length > 0 ? 1 : 0;
    return { name, passed: 1 - failed, failed, skipped: 0, failures, durationMs: Date.now() - started };
}

export function summaryRow({ name, passed, failed, skipped, durationMs, note }: Omit<Result, "failures">): string[] {
    return [name, String(passed), String(failed), String(skipped), duration(durationMs), note ?? ""];
}

/** What failed, for the end of the output: the last lines are what a build server shows. */
export function printFailures(results: Result[]): void {
    for (const { name, failures } of results) {
        for (const failure of failures) process.stdout.write(`failed in ${name}: ${failure}\n`);
    }
}
