import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server as TcpServer } from "node:net";
import { Server, utils, type Connection } from "ssh2";
import { ask } from "../../../components/https";
import { Tunnel } from "../../../commands/status/tunnel";
import type { MachineAccess } from "../../../components/machines/machine";

const key = utils.generateKeyPairSync("ed25519");

/** An SSH server that forwards TCP and lets everybody in. */
class Gateway {
    private readonly clients = new Set<Connection>();
    private readonly server = new Server({ hostKeys: [key.private] }, (client) => {
        this.clients.add(client);
        client.on("error", () => undefined);
        client.on("authentication", (attempt) => attempt.accept());
        client.on("tcpip", (accept, reject, { destIP, destPort }) => {
            const target = connect(destPort, destIP);
            target.once("connect", () => {
                const channel = accept();
                channel.pipe(target).pipe(channel);
                channel.on("error", () => undefined);
            });
            target.on("error", () => reject());
        });
    });

    async start(name: string): Promise<MachineAccess> {
        this.server.listen(0, "127.0.0.1");
        await once(this.server as unknown as NodeJS.EventEmitter, "listening");
        return machine(name, (this.server.address() as AddressInfo).port);
    }

    stop(): void {
        for (const client of this.clients) client.end();
        this.server.close();
    }
}

const machine = (name: string, port: number): MachineAccess => ({
    name,
    address: "127.0.0.1",
    privateAddress: "127.0.0.1",
    ssh: { user: "root", port, privateKey: key.private, hostKey: key.public },
});

describe("tunnel into the cluster", () => {
    const gateway = new Gateway();
    let service: TcpServer;
    let port = 0;
    let living: MachineAccess;
    /** Nothing listens there. */
    const lost = machine("lost", 1);

    before(async () => {
        living = await gateway.start("living");
        service = createServer((socket) => {
            socket.on("error", () => undefined);
            socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        });
        service.listen(0, "127.0.0.1");
        await once(service, "listening");
        port = (service.address() as AddressInfo).port;
    });
    after(() => {
        gateway.stop();
        service.close();
    });

    it("reaches an address through the machine that is left when another is gone", async () => {
        const tunnel = new Tunnel([lost, living]);
        const stream = await tunnel.connect("127.0.0.1", port, 3000);
        assert.equal(await ask({ host: "127.0.0.1", port, path: "/", stream, timeoutMs: 3000 }), "hello");
        tunnel.close();
    });

    it("says which address nobody answers at, within its limit", async () => {
        const tunnel = new Tunnel([living]);
        await assert.rejects(tunnel.connect("127.0.0.1", 1, 3000), /127\.0\.0\.1:1: /);
        tunnel.close();
        const none = new Tunnel([lost]);
        const begin = Date.now();
        await assert.rejects(none.connect("127.0.0.1", port, 500), new RegExp(`:${port} does not answer within 0.5 s`));
        assert.ok(Date.now() - begin < 2000);
        none.close();
    });

    it("dials again after a connection has broken", async () => {
        const tunnel = new Tunnel([living]);
        const first = await tunnel.ssh(living);
        first.close();
        await once(first["client"], "close");
        assert.notEqual(await tunnel.ssh(living), first);
        tunnel.close();
    });
});
