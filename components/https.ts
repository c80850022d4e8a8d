import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { withTimeout } from "./progress";

export interface Question {
    host: string;
    port: number;
    path: string;
    method?: "GET" | "POST" | "DELETE";
    body?: object;
    /**
     * Authority to verify the answerer with, and what to show of ourselves. Without it: plain HTTP. `unproven` is for a
     * question that gives nothing away and whose answer is not relied on.
     */
    tls?: { ca: string; cert?: string; key?: string } | "unproven";
    /** A stream to the host; without it a direct connection. */
    stream?: Duplex;
    timeoutMs: number;
}

/** One question over HTTP(S), its body as text; anything but a 2xx status is an error. */
export async function ask(question: Question): Promise<string> {
    const { host, port, path, method = "GET", tls, timeoutMs } = question;
    const plain = question.stream ?? connectTcp({ host, port });
    const proof = tls === "unproven" ? { rejectUnauthorized: false } : tls;
    const stream = proof === undefined ? plain : connectTls({ socket: plain, host, ...proof });
    const what = `${host}:${port}${path}`;
    try {
        return await withTimeout(exchange(stream, question, method), timeoutMs, `${what} does not answer`);
    } catch (error) {
        throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    } finally {
        stream.destroy();
        plain.destroy();
    }
}

export const askJson = async <Answer>(question: Question): Promise<Answer> => JSON.parse(await ask(question)) as Answer;

function exchange(stream: Duplex, { host, path, body }: Question, method: string): Promise<string> {
    return new Promise((resolve, reject) => {
        stream.on("error", reject);
        const headers = { host, connection: "close", ...(body ? { "content-type": "application/json" } : {}) };
        const call = request({ createConnection: () => stream, method, path, headers }, (response) => {
            const chunks: Buffer[] = [];
            response.on("data", (chunk: Buffer) => chunks.push(chunk));
            response.on("error", reject);
            response.on("end", () => {
                const text = Buffer.concat(chunks).toString("utf8");
                const status = response.statusCode ?? 0;
                return status >= 200 && status < 300 ? resolve(text) : reject(new HttpError(status, text));
            });
        });
        call.on("error", reject);
        call.end(body && JSON.stringify(body));
    });
}

export class HttpError extends Error {
    constructor(
        readonly status: number,
        readonly body: string,
    ) {
        super(`status ${status}: ${body.slice(0, 200).trim()}`);
    }
}
