import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, ToolchainError, UnreachableError } from "./errors";

export interface DownloadOptions {
    /** Time without a byte after which a connection is given up. @default 30 s */
    stallMs?: number;
    /** Time until the server has answered. @default 15 s */
    answerMs?: number;
    /** Connections tried in a row without a new byte. @default 4 */
    attempts?: number;
    /** Pause before another attempt, doubled each time. @default 1 s */
    pauseMs?: number;
    onProgress?: (received: number, total: number | undefined) => void;
}

/** The connection broke or fell silent; what was received is kept and continued. */
class Interrupted extends Error {}

async function answerOf(url: string, from: number, answerMs: number, controller: AbortController): Promise<Response> {
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${answerMs / 1000} s`)), answerMs);
    try {
        const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
        return await fetch(url, { headers, signal: controller.signal });
    } catch (error) {
        const cause = (error as { cause?: unknown }).cause;
        throw new UnreachableError(`${url} cannot be reached: ${messageOf(cause ?? error)}.`);
    } finally {
        clearTimeout(timer);
    }
}

function refuseStatus(url: string, status: number): void {
    if (status >= 500 || status === 429) throw new Interrupted(`the server answered ${status}`);
    throw new ToolchainError(
        `${url}: the server answered ${status}.`,
        status === 404
            ? "This release does not exist there; check the version, or the mirror if one is set."
            : "Check the mirror or proxy in between, then run the same command again.",
    );
}

/** One connection: appends to `partial`, from its end when the server can continue. Returns whether it did. */
async function receive(url: string, partial: string, options: DownloadOptions): Promise<boolean> {
    const { stallMs = 30_000, answerMs = 15_000, onProgress } = options;
    const from = existsSync(partial) ? statSync(partial).size : 0;
    const controller = new AbortController();
    const response = await answerOf(url, from, answerMs, controller);
    if (response.status === 416) {
        rmSync(partial, { force: true });
        throw new Interrupted("the server has fewer bytes than were received");
    }
    if (!response.ok) refuseStatus(url, response.status);
    const resumed = response.status === 206;
    const length = response.headers.get("content-length");
    const start = resumed ? from : 0;
    const total = length === null ? undefined : start + Number(length);
    let received = start;
    const stalled = () => controller.abort(new Interrupted(`nothing was received for ${stallMs / 1000} s`));
    let timer = setTimeout(stalled, stallMs);
    const file = await open(partial, resumed ? "a" : "w");
    try {
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
            clearTimeout(timer);
            timer = setTimeout(stalled, stallMs);
            await file.write(chunk);
            received += chunk.length;
            onProgress?.(received, total);
        }
    } catch (error) {
        const reason: unknown = controller.signal.aborted ? controller.signal.reason : error;
        throw new Interrupted(messageOf(reason));
    } finally {
        clearTimeout(timer);
        await file.close();
    }
    if (total !== undefined && received < total) throw new Interrupted(`it ended at ${received} of ${total} bytes`);
    return resumed;
}

async function receiveAll(url: string, partial: string, options: DownloadOptions): Promise<boolean> {
    const { attempts = 4, pauseMs = 1000 } = options;
    let failures = 0;
    for (;;) {
        const before = existsSync(partial) ? statSync(partial).size : 0;
        try {
            return await receive(url, partial, options);
        } catch (error) {
            if (!(error instanceof Interrupted)) throw error;
            const after = existsSync(partial) ? statSync(partial).size : 0;
            failures = after > before ? 1 : failures + 1;
            if (failures >= attempts) {
                throw new UnreachableError(`${url}: the download broke off ${failures} times: ${error.message}.`);
            }
            await sleep(pauseMs * 2 ** (failures - 1));
        }
    }
}

export async function sha256Of(path: string): Promise<string> {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest("hex");
}

/**
 * Downloads `url` to `file`, which appears only when its SHA-256 is the expected one. A broken connection is continued
 * where it stopped, in this run or a later one; a wrong checksum keeps nothing.
 */
export async function download(
    url: string,
    file: string,
    sha256: string,
    options: DownloadOptions = {},
): Promise<void> {
    if (existsSync(file) && (await sha256Of(file)) === sha256) return;
    mkdirSync(dirname(file), { recursive: true });
    // The checksum is in the name, so that an earlier release's beginning is never continued with this one's end.
    const partial = `${file}.${sha256.slice(0, 12)}.part`;
    for (;;) {
        const continued = await receiveAll(url, partial, options);
        const actual = await sha256Of(partial);
        if (actual === sha256) break;
        rmSync(partial, { force: true });
        if (continued) continue;
        throw new ToolchainError(
            `${basename(file)} from ${url} has a wrong checksum: expected ${sha256}, received ${actual}.`,
            "Nothing was kept. Run the same command again; if it repeats, a proxy or mirror in between alters the file.",
        );
    }
    renameSync(partial, file);
}

/** A small text, such as a list of checksums. */
export async function downloadText(url: string, options: DownloadOptions = {}): Promise<string> {
    const { answerMs = 15_000 } = options;
    const controller = new AbortController();
    const response = await answerOf(url, 0, answerMs, controller);
    if (response.status >= 500) throw new UnreachableError(`${url}: the server answered ${response.status}.`);
    if (!response.ok) refuseStatus(url, response.status);
    const timer = setTimeout(() => controller.abort(new Error(`not complete within ${answerMs / 1000} s`)), answerMs);
    try {
        return await response.text();
    } catch (error) {
        throw new UnreachableError(`${url}: ${messageOf(error)}.`);
    } finally {
        clearTimeout(timer);
    }
}

/** The checksum a `sha256sum` listing gives for a file. */
export function checksumIn(listing: string, file: string, origin: string): string {
    for (const line of listing.split("\n")) {
        const [sum, name] = line.trim().split(/\s+\*?/);
        if (name === file && sum !== undefined && /^[0-9a-fA-F]{64}$/.test(sum)) return sum.toLowerCase();
    }
    throw new ToolchainError(
        `${origin} lists no SHA-256 for ${file}.`,
        "Check the version and architecture, or the mirror if one is set; nothing was downloaded.",
    );
}
