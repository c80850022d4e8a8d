import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

interface Owner {
    pid: number;
    /** Start time of the process: tells a reused pid from the owner. */
    started: string;
    host: string;
}

const pollMs = 300;
/** Longer than any process needs between taking and giving back the right to remove a dead owner's file. */
const takeoverMs = 10_000;

function startOf(pid: number): string | undefined {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        // The command name, in parentheses, may hold spaces; the start time is field 22 of the whole line.
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return fields[0] === "Z" ? undefined : fields[19];
    } catch {
        return undefined;
    }
}

/** True while the process runs on this host and is the one that started then (when the start is known). */
export function isAlive(pid: number, started?: string): boolean {
    const actual = startOf(pid);
    return actual !== undefined && (started === undefined || actual === started);
}

export function processStart(pid: number): string | undefined {
    return startOf(pid);
}

function ownerOf(file: string): Owner | undefined {
    try {
        return JSON.parse(readFileSync(file, "utf8")) as Owner;
    } catch {
        return undefined;
    }
}

function create(file: string, content: string): boolean {
    try {
        writeFileSync(file, content, { flag: "wx" });
        return true;
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
    }
}

function ageMs(file: string): number {
    try {
        return Date.now() - statSync(file).mtimeMs;
    } catch {
        return 0;
    }
}

function isStale(file: string): boolean {
    const owner = ownerOf(file);
    // A file without readable content is one that is being written, unless nobody finished writing it.
    if (owner === undefined) return ageMs(file) > takeoverMs;
    return owner.host === hostname() && !isAlive(owner.pid, owner.started);
}

/** Only one process at a time may judge and remove a dead owner's file, or two could both believe they hold it. */
function removeStale(file: string): void {
    const takeover = `${file}.takeover`;
    if (!create(takeover, String(process.pid))) {
        if (ageMs(takeover) > takeoverMs) rmSync(takeover, { force: true });
        return;
    }
    try {
        if (isStale(file)) rmSync(file, { force: true });
    } finally {
        rmSync(takeover, { force: true });
    }
}

/** Runs `work` while holding the lock file. A lock left by a process that is gone is taken over. */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait?: (pid: number) => void): Promise<T> {
    mkdirSync(dirname(file), { recursive: true });
    const own: Owner = { pid: process.pid, started: startOf(process.pid) ?? "", host: hostname() };
    let told = false;
    while (!create(file, JSON.stringify(own))) {
        if (isStale(file)) {
            removeStale(file);
            continue;
        }
        if (!told) onWait?.(ownerOf(file)?.pid ?? 0);
        told = true;
        await sleep(pollMs);
    }
    try {
        return await work();
    } finally {
        rmSync(file, { force: true });
    }
}
