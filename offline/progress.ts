import { ToolchainError } from "./errors";

/** Says what long steps do and how long they have taken, on stderr: stdout belongs to the command's result. */

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const frameMs = 120;
/** How often a step is mentioned where the line cannot be redrawn. */
const reminderMs = 20_000;

interface Running {
    title: string;
    started: number;
    detail: string;
    mentioned: number;
}

export interface StepReport {
    /** What the step is doing right now, in a few words. */
    detail(text: string): void;
}

const running = new Set<Running>();
let timer: NodeJS.Timeout | undefined;
let frame = 0;
let silent = false;

/** For tests: nothing is printed until it is switched back. */
export function setSilent(value: boolean): void {
    silent = value;
}

function write(text: string): void {
    if (!silent) process.stderr.write(text);
}

function isLive(): boolean {
    return process.stderr.isTTY && process.env["CI"] === undefined;
}

export function duration(ms: number): string {
    const seconds = Math.round(ms / 1000);
    return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

export function size(bytes: number): string {
    return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** One line of text above the running steps. */
export function say(text: string): void {
    clearLine();
    write(`${text}\n`);
}

function clearLine(): void {
    if (isLive() && running.size > 0) write("\r\x1b[2K");
}

function describe(step: Running, now: number): string {
    const detail = step.detail === "" ? "" : `: ${step.detail}`;
    return `${step.title} (${duration(now - step.started)})${detail}`;
}

function tick(): void {
    const now = Date.now();
    if (isLive()) {
        frame = (frame + 1) % frames.length;
        const text = `${frames[frame]} ${[...running].map((step) => describe(step, now)).join("  |  ")}`;
        write(`\r\x1b[2K${text.slice(0, (process.stderr.columns ?? 100) - 1)}`);
        return;
    }
    for (const step of running) {
        if (now - step.mentioned < reminderMs) continue;
        step.mentioned = now;
        write(`  … ${describe(step, now)}\n`);
    }
}

/** Runs `work` as a step that is announced, reported on while it runs, and closed with its duration. */
export async function step<T>(title: string, work: (report: StepReport) => Promise<T>): Promise<T> {
    const now = Date.now();
    const entry: Running = { title, started: now, detail: "", mentioned: now };
    if (!isLive()) write(`• ${title}\n`);
    running.add(entry);
    timer ??= setInterval(tick, isLive() ? frameMs : 1000);
    let mark = "✗";
    try {
        const result = await work({ detail: (text) => (entry.detail = text) });
        mark = "✓";
        return result;
    } catch (error) {
        if (error instanceof ToolchainError) error.step ??= title;
        throw error;
    } finally {
        clearLine();
        running.delete(entry);
        if (running.size === 0) {
            clearInterval(timer);
            timer = undefined;
        }
        write(`${mark} ${title} (${duration(Date.now() - now)})\n`);
    }
}
