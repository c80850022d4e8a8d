import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeAuthority, makeLeaf } from "../../../components/certificates/x509";
import { findCommand } from "../../../offline/command";
import { temporaryDirectory } from "../offline/release-server";

const message = (kind: string, body = ""): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(kind), length, Buffer.from(body)]);
};

/** Servers of this process in place of Patroni and PostgreSQL: it proves what the fence says, not that the kubelet acts. */
describe("the fence of an instance", function () {
    this.timeout(30_000);
    const directory = temporaryDirectory();
    const script = join(__dirname, "../../../components/patroni/image/bin/fence");
    const fencePort = 20_000 + (process.pid % 10_000);
    let fence: ChildProcess;
    let patroni: HttpsServer;
    let postgresql: Server;
    let liveness: number | "hangs";
    let config: object;
    let answer: (socket: Socket) => void;
    let sessions: number;
    const sockets = new Set<Socket>();

    const accept = (socket: Socket): void => {
        sessions += 1;
        socket.write(Buffer.concat([message("R", "\0\0\0\0"), message("Z", "I")]));
        socket.once("data", () => socket.write(Buffer.concat([message("C", "SELECT 1\0"), message("Z", "I")])));
    };
    const refuse = (socket: Socket): void =>
        void socket.write(message("E", "C57P03\0Mthe database system is starting up\0\0"));
    const hang = (): void => undefined;

    const says = (state: string): void => {
        mkdirSync(join(directory.path(), "pgdata"), { recursive: true });
        writeFileSync(join(directory.path(), "pgdata", "postmaster.pid"), `1\n/data\n0\n5432\n/run\n*\n0\n${state}\n`);
    };

    async function verdict(): Promise<{ status: number; text: string }> {
        const response = await fetch(`http://127.0.0.1:${fencePort}/`);
        return { status: response.status, text: await response.text() };
    }

    async function until(status: number): Promise<{ text: string; seconds: number }> {
        const begin = Date.now();
        for (;;) {
            const now = await verdict().catch(() => ({ status: 0, text: "does not answer" }));
            const seconds = (Date.now() - begin) / 1000;
            if (now.status === status) return { text: now.text, seconds };
            assert.ok(seconds < 12, `no ${status} within 12 s: ${now.text}`);
            await sleep(50);
        }
    }

    /** On a starved host the other checks may complain meanwhile. */
    async function sparesPostgresql(after = ""): Promise<void> {
        assert.doesNotMatch((await verdict()).text, /postgresql/, after);
    }

    before(function () {
        if (findCommand("python3") === undefined) {
            console.log("skipped: the fence's tests need python3 on this host");
            this.skip();
        }
    });

    beforeEach(async () => {
        [liveness, config, answer, sessions] = [200, {}, accept, 0];
        says("ready   ");
        const authority = await makeAuthority({ commonName: "Patroni CA" }, 1);
        const leaf = await makeLeaf(authority, {
            ...{ commonName: "Patroni", dnsNames: ["localhost"], ipAddresses: [] },
            ...{ usages: ["server"], validityDays: 1 },
        });
        writeFileSync(join(directory.path(), "ca.crt"), authority.certificate);
        patroni = createHttps({ cert: leaf.certificate, key: leaf.privateKey }, (request, response) => {
            if (liveness === "hangs") return;
            response.statusCode = request.url === "/liveness" ? liveness : 200;
            response.end(request.url === "/config" ? JSON.stringify(config) : "");
        });
        await new Promise<void>((resolve) => patroni.listen(0, "localhost", resolve));
        postgresql = createServer((socket) => {
            sockets.add(socket);
            socket.on("error", () => undefined);
            socket.on("close", () => sockets.delete(socket));
            socket.once("data", () => answer(socket));
        });
        const path = join(directory.path(), "socket");
        await new Promise<void>((resolve) => postgresql.listen(path, resolve));
        const { port } = patroni.address() as { port: number };
        fence = spawn("python3", [script], {
            stdio: ["ignore", "ignore", "pipe"],
            env: {
                ...process.env,
                FENCE_PORT: String(fencePort),
                FENCE_PATRONI_PORT: String(port),
                FENCE_DATA: directory.path(),
                FENCE_SOCKET: path,
                FENCE_AUTHORITY: join(directory.path(), "ca.crt"),
            },
        });
        await until(200);
    });
    afterEach(async () => {
        // It writes into the directory that is removed next.
        const ended = once(fence, "exit");
        fence.kill("SIGKILL");
        await ended;
        for (const socket of sockets) socket.destroy();
        postgresql.close();
        patroni.closeAllConnections();
        patroni.close();
    });

    it("says well while all goes on, and asks over new connections", async () => {
        await sleep(2500);
        assert.equal((await until(200)).text, "well");
        assert.ok(sessions >= 2, `${sessions} sessions`);
    });

    it("complains soon of a postmaster that takes connections but never answers, and forgives it", async () => {
        answer = hang;
        const { text, seconds } = await until(503);
        assert.match(text, /^postgresql: /);
        assert.ok(seconds <= 6, `${seconds} s`);
        answer = accept;
        await until(200);
    });

    it("takes a refusal for an answer: recovery after a crash is no hang", async () => {
        answer = refuse;
        await sleep(4000);
        await sparesPostgresql();
    });

    it("asks nothing of PostgreSQL while it starts, stops, or has no data directory yet", async () => {
        answer = hang;
        for (const state of ["starting", "stopping", "standby "]) {
            says(state);
            await sleep(3200);
            await sparesPostgresql(state);
        }
        rmSync(join(directory.path(), "pgdata"), { recursive: true });
        await sleep(3200);
        await sparesPostgresql();
    });

    it("leaves a dead postmaster to Patroni", async () => {
        await new Promise((resolve) => postgresql.close(resolve).emit("closing"));
        await sleep(4000);
        await sparesPostgresql();
    });

    it("tolerates everything of PostgreSQL in maintenance mode", async () => {
        config = { pause: true };
        answer = hang;
        for (let round = 0; round < 25; round += 1) {
            await sleep(200);
            await sparesPostgresql();
        }
        config = {};
        assert.match((await until(503)).text, /^postgresql: /);
    });

    it("complains of a Patroni whose loop does not run, and of one that does not answer", async () => {
        liveness = 503;
        assert.match((await until(503)).text, /patroni: its loop does not run/);
        liveness = 200;
        await until(200);
        liveness = "hangs";
        assert.match((await until(503)).text, /patroni: /);
    });

    it("complains of a disk that takes no writes, although nothing else hangs", async () => {
        const file = join(directory.path(), ".fence");
        rmSync(file);
        // Opening a pipe that nobody reads blocks as a hanging disk does.
        execFileSync("mkfifo", [file]);
        assert.match((await until(503)).text, /^disk: no answer/);
    });
});
