import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

export function sha256(body: Buffer): string {
    return createHash("sha256").update(body).digest("hex");
}

/** Serves files as a release site does, ranges included; `misbehave` replaces the answer to one path. */
export class ReleaseServer {
    readonly requests: { path: string; range: string | undefined }[] = [];
    private readonly files = new Map<string, Buffer>();
    private readonly answers = new Map<string, Answer>();
    private readonly server: Server;

    constructor() {
        this.server = createServer((request, response) => this.answer(request, response));
    }

    async start(): Promise<string> {
        await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
        return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    }

    async stop(): Promise<void> {
        this.server.closeAllConnections();
        await new Promise<void>((resolve) => this.server.close(() => resolve()));
    }

    publish(path: string, body: Buffer | string): void {
        this.files.set(path, Buffer.from(body));
    }

    misbehave(path: string, answer: Answer): void {
        this.answers.set(path, answer);
    }

    behave(path: string): void {
        this.answers.delete(path);
    }

    private answer(request: IncomingMessage, response: ServerResponse): void {
        const path = request.url ?? "";
        this.requests.push({ path, range: request.headers.range });
        const body = this.files.get(path);
        if (body === undefined) {
            response.writeHead(404).end();
            return;
        }
        (this.answers.get(path) ?? serve)(request, response, body);
    }
}

export const serve: Answer = (request, response, body) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (from >= body.length) {
        response.writeHead(416).end();
        return;
    }
    const part = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": part.length });
    response.end(part);
};

/**
 * Sends `count` bytes of what was asked for, then breaks the connection: not before they are all in the partial file,
 * for what a client has not read yet is lost with the connection.
 */
export function breakAfter(count: number, partial: string): Answer {
    return (request, response, body) => {
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const part = body.subarray(from);
        response.writeHead(from > 0 ? 206 : 200, { "content-length": part.length });
        response.write(part.subarray(0, count));
        const timer = setInterval(() => {
            if (!existsSync(partial) || statSync(partial).size < from + count) return;
            clearInterval(timer);
            response.destroy();
        }, 5);
        response.once("close", () => clearInterval(timer));
    };
}

/** Sends `count` bytes, then nothing more while keeping the connection open. */
export function stallAfter(count: number): Answer {
    return (_request, response, body) => {
        response.writeHead(200, { "content-length": body.length });
        response.write(body.subarray(0, count));
    };
}

/** A directory that is removed after each test. */
export function temporaryDirectory(): { path: () => string } {
    let directory = "";
    beforeEach(() => {
        directory = mkdtempSync(join(tmpdir(), "postgres-ha-test-"));
    });
    afterEach(() => rmSync(directory, { recursive: true, force: true }));
    return { path: () => directory };
}

/** The first bytes of an ELF executable for the machine (62 amd64, 183 arm64), and some content. */
export function elf(machine: number, content = "x".repeat(2000)): Buffer {
    const header = Buffer.alloc(64);
    header.write("\x7fELF", 0, "latin1");
    header.writeUInt16LE(machine, 18);
    return Buffer.concat([header, Buffer.from(content)]);
}
