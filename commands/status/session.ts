import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { Client, type QueryResult, type QueryResultRow } from "pg";
import { withTimeout } from "../../components/progress";

/** One address of a connection string, with everything a client needs for `sslmode=verify-full`. */
export interface Entry {
    host: string;
    port: number;
    user: string;
    password: string;
    database: string;
    ca: string;
}

/** The addresses of a connection string with several hosts, which `pg` itself cannot read. */
export function entriesOf(connectionString: string, ca: string): Entry[] {
    const parts = /^postgres(?:ql)?:\/\/([^:@/]+):([^@]*)@([^/]+)\/([^?]+)/.exec(connectionString);
    if (!parts) {
        throw new Error("the connection string is not of the form postgresql://user:password@host:port,.../database");
    }
    const [user = "", password = "", hosts = "", database = ""] = parts.slice(1).map(decodeURIComponent);
    return hosts.split(",").map((address) => {
        const [host = "", port = "5432"] = address.split(":");
        return { host, port: Number(port), user, password, database, ca };
    });
}

export interface SessionOptions {
    connectTimeoutMs: number;
    /** After it the socket is destroyed. A cancel request could turn a wait for the standby into a false success. */
    statementTimeoutMs: number;
    applicationName: string;
    /** A stream that already leads to the server, instead of a connection of its own. */
    stream?: Duplex;
    onNotice?: (message: string) => void;
}

/** A connection to PostgreSQL whose every step ends in bounded time. */
export class Session {
    private broken = false;

    private constructor(
        private readonly client: Client,
        private readonly socket: Duplex,
        private readonly options: SessionOptions,
    ) {}

    static async open(entry: Entry, options: SessionOptions): Promise<Session> {
        const { ca, ...address } = entry;
        const socket = options.stream ? connectedStream(options.stream) : new Socket();
        const client = new Client({
            ...address,
            ssl: { ca },
            stream: () => socket,
            keepAlive: true,
            keepAliveInitialDelayMillis: 1000,
            application_name: options.applicationName,
        });
        const session = new Session(client, socket, options);
        client.on("error", () => session.destroy());
        client.on("notice", ({ message }) => options.onNotice?.(message ?? ""));
        try {
            const what = `${entry.host}:${entry.port} takes no connection`;
            await withTimeout(client.connect(), options.connectTimeoutMs, what);
            return session;
        } catch (error) {
            session.destroy();
            throw error;
        }
    }

    get isBroken(): boolean {
        return this.broken;
    }

    /** Until when the server's certificate is valid; undefined once the connection is gone. */
    get certificateEnd(): Date | undefined {
        const { stream } = (this.client as unknown as { connection: { stream: Partial<TLSSocket> } }).connection;
        const end = stream.getPeerCertificate?.()?.valid_to;
        return end ? new Date(end) : undefined;
    }

    async query<Row extends QueryResultRow>(text: string, values: unknown[] = []): Promise<QueryResult<Row>> {
        const { statementTimeoutMs } = this.options;
        const answer = this.client.query<Row>(text, values);
        try {
            return await withTimeout(answer, statementTimeoutMs, "the statement does not end");
        } catch (error) {
            if (!isRefusal(error)) {
                this.destroy();
                answer.catch(() => undefined);
            }
            throw error;
        }
    }

    /** Says goodbye, but waits for no answer. */
    close(): void {
        this.client.end().catch(() => undefined);
        setTimeout(() => this.destroy(), 200).unref();
    }

    destroy(): void {
        this.broken = true;
        this.socket.destroy();
    }
}

/** The server itself refused the statement: the session goes on, and nothing of the statement was done. */
export function isRefusal(error: unknown): boolean {
    const { severity, code } = error as { severity?: string; code?: string };
    return severity === "ERROR" && typeof code === "string";
}

/** What `pg` calls on a socket, on a stream that is connected already. */
function connectedStream(stream: Duplex): Duplex {
    const nothing = () => stream;
    return Object.assign(stream, {
        setNoDelay: nothing,
        setKeepAlive: nothing,
        ref: nothing,
        unref: nothing,
        connect: () => {
            process.nextTick(() => stream.emit("connect"));
            return stream;
        },
    });
}
