import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import { createServer as createPlainServer } from "node:http";
import { createServer as createSilentServer, type AddressInfo, type Server as AnyServer } from "node:net";
import { makeAuthority, makeLeaf, type Pem } from "../../../components/certificates/x509";
import { isServing } from "../../../components/object-store/serving";

const listen = (server: AnyServer | Server): Promise<number> =>
    new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)));

describe("a store that is looked at from here", () => {
    let authority: Pem;
    const servers: (AnyServer | Server)[] = [];
    before(async () => (authority = await makeAuthority({ commonName: "store CA" }, 1)));
    afterEach(() => servers.splice(0).forEach((server) => server.close()));

    async function store(ipAddresses: string[], validityDays = 1): Promise<number> {
        const request = { commonName: "store", dnsNames: [], ipAddresses, usages: ["server" as const], validityDays };
        const { certificate, privateKey } = await makeLeaf(authority, request);
        const server = createServer({ cert: certificate, key: privateKey }, (_request, response) =>
            response.writeHead(403).end("AccessDenied"),
        );
        servers.push(server);
        return listen(server);
    }

    it("serves when it answers, be it that it refuses a request without a signature", async () => {
        const port = await store(["127.0.0.1"]);
        assert.equal(await isServing("127.0.0.1", authority.certificate, { port }), true);
    });

    it("does not serve with a certificate of another authority, for another address, or an old one", async () => {
        const other = await makeAuthority({ commonName: "other CA" }, 1);
        const good = await store(["127.0.0.1"]);
        assert.equal(await isServing("127.0.0.1", other.certificate, { port: good }), false);
        const elsewhere = await store(["192.0.2.1"]);
        assert.equal(await isServing("127.0.0.1", authority.certificate, { port: elsewhere }), false);
        const old = await store(["127.0.0.1"], -0.01);
        assert.equal(await isServing("127.0.0.1", authority.certificate, { port: old }), false);
    });

    it("does not serve without TLS, without an answer, or when nothing listens", async () => {
        const plain = createPlainServer((_request, response) => response.end());
        const silent = createSilentServer();
        servers.push(plain, silent);
        const ports = [await listen(plain), await listen(silent), 1];
        for (const port of ports) {
            assert.equal(await isServing("127.0.0.1", authority.certificate, { port, timeoutMs: 300 }), false);
        }
    });
});
