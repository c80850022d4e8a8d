import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";
import { makeAuthority } from "../../../components/certificates/x509";
import { chooseApiEndpoint } from "../../../components/k3s/api-endpoint";

const listen = (host: string, port = 0): Promise<Server> =>
    new Promise((resolve, reject) => {
        const server = createServer((socket) => socket.destroy());
        server.once("error", reject);
        server.listen(port, host, () => resolve(server));
    });

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

describe("the API server to talk to", () => {
    let second: Server;
    let port: number;

    before(async () => {
        second = await listen("127.0.0.2");
        port = (second.address() as AddressInfo).port;
    });

    after(() => close(second));

    it("is the next one while the first is gone", async () => {
        assert.equal(await chooseApiEndpoint(["127.0.0.1", "127.0.0.2", "127.0.0.3"], port), "127.0.0.2");
    });

    it("is the first in order of those that answer, not the fastest", async () => {
        const third = await listen("127.0.0.3", port);
        try {
            assert.equal(await chooseApiEndpoint(["127.0.0.3", "127.0.0.2"], port), "127.0.0.3");
            assert.equal(await chooseApiEndpoint(["127.0.0.2", "127.0.0.3"], port), "127.0.0.2");
        } finally {
            await close(third);
        }
    });

    it("is not one that takes connections and is not ready, while another is", async () => {
        const { certificate: cert, privateKey: key } = await makeAuthority({ commonName: "api" }, 1);
        const api = (status: number) =>
            createHttpsServer({ cert, key }, (_request, response) => response.writeHead(status).end());
        const servers = [
            { host: "127.0.0.3", server: api(503) },
            { host: "127.0.0.4", server: api(401) },
        ];
        for (const { host, server } of servers) {
            await new Promise<void>((resolve) => server.listen(port, host, resolve));
        }
        try {
            const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
            assert.equal(await chooseApiEndpoint(addresses, port), "127.0.0.4");
            assert.equal(await chooseApiEndpoint(addresses.slice(0, 2), port), "127.0.0.2");
        } finally {
            servers.forEach(({ server }) => server.close());
        }
    });

    it("is the first while none exists yet", async () => {
        assert.equal(await chooseApiEndpoint(["127.0.0.4", "127.0.0.5"], port), "127.0.0.4");
    });

    it("is found within the time limit although a server drops packets", async () => {
        // An address of a documentation range: nothing answers there, or the network says so at once.
        const begin = Date.now();
        assert.equal(await chooseApiEndpoint(["192.0.2.1", "127.0.0.2"], port, 300), "127.0.0.2");
        assert.ok(Date.now() - begin < 2000, `${Date.now() - begin} ms`);
    });

    it("is an empty text without servers", async () => {
        assert.equal(await chooseApiEndpoint([], port), "");
    });
});
