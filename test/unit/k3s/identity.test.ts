import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { makeAuthority, makeLeaf } from "../../../components/certificates/x509";
import { provider, type IdentityInputs } from "../../../components/k3s/identity.step";
import { unknownInput } from "../../../components/step";

/** A server of this process in place of the Kubernetes API. */
describe("the identity of a Kubernetes cluster", () => {
    let api: Server;
    let uid: string;
    let inputs: IdentityInputs;

    const changes = async (news: Partial<IdentityInputs> = {}): Promise<boolean> =>
        (await provider.diff("identity", { ...inputs, identity: "first" }, { ...inputs, ...news })).changed;

    beforeEach(async () => {
        uid = "first";
        const authority = await makeAuthority({ commonName: "server CA" }, 1);
        const names = { dnsNames: [], ipAddresses: ["127.0.0.1"], validityDays: 1 };
        const own = await makeLeaf(authority, { commonName: "server", usages: ["server"], ...names });
        const admin = await makeLeaf(authority, { commonName: "admin", usages: ["client"], ...names });
        const tls = { ca: authority.certificate, requestCert: true, rejectUnauthorized: true };
        api = createServer({ cert: own.certificate, key: own.privateKey, ...tls }, (request, response) => {
            const isThere = request.url === "/api/v1/namespaces/kube-system" && uid !== "";
            response.statusCode = isThere ? 200 : 503;
            response.end(JSON.stringify(isThere ? { metadata: { uid } } : {}));
        });
        await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
        inputs = {
            server: `https://127.0.0.1:${(api.address() as AddressInfo).port}`,
            certificateAuthority: authority.certificate,
            clientCertificate: admin.certificate,
            clientKey: admin.privateKey,
            instances: ["one", "two", "three"],
            protectData: false,
        };
    });
    afterEach(() => {
        api.closeAllConnections();
        api.close();
    });

    it("is what its API server says", async () => {
        assert.equal((await provider.create(inputs)).outs.identity, "first");
    });

    it("stays with other machines and other certificates, and changes with the cluster", async () => {
        assert.equal(await changes({ instances: ["other", "two", "three"] }), false);
        assert.equal(await changes({ instances: [unknownInput, "two", "three"] }), false);
        assert.equal(await changes({ clientKey: unknownInput, clientCertificate: unknownInput }), false);
        uid = "second";
        assert.equal(await changes(), true);
        assert.equal(
            (await provider.update?.("identity", { ...inputs, identity: "first" }, inputs))?.identity,
            "second",
        );
    });

    it("changes only by a refresh where data is protected", async () => {
        const known = { ...inputs, protectData: true, identity: "first" };
        uid = "second";
        await assert.rejects(
            async () => provider.update?.("identity", known, known),
            /another Kubernetes cluster answers \(second, not first\).*nothing in it was touched.*pulumi up --refresh/,
        );
        assert.equal((await provider.read?.("identity", known))?.identity, "second");
        uid = "";
        assert.equal((await provider.read?.("identity", known))?.identity, "first");
    });

    it("is not taken for another one's while the API does not answer", async () => {
        uid = "";
        assert.equal(await changes(), false);
    });

    it("is expected to change when every server is made anew", async () => {
        assert.equal(await changes({ instances: [unknownInput, unknownInput, unknownInput] }), true);
        assert.equal(await changes({ instances: unknownInput }), true);
    });

    it("waits for an API server that starts", async () => {
        uid = "";
        setTimeout(() => (uid = "late"), 1500);
        assert.equal((await provider.create(inputs)).outs.identity, "late");
    });
});
