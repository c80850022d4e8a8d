import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { provider as certificateStep } from "../../../components/certificates/certificate.step";
import { provider as signingKeyStep } from "../../../components/certificates/signing-key.step";
import { daysLeft, makeAuthority, makeLeaf, type LeafRequest, type Pem } from "../../../components/certificates/x509";

const request: LeafRequest = {
    commonName: "postgres PostgreSQL",
    dnsNames: ["localhost", "postgres-0", "postgres-rw.postgres-proxy.svc.cluster.local"],
    ipAddresses: ["127.0.0.1", "10.43.0.64"],
    usages: ["server"],
    validityDays: 365,
};

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

describe("a certificate of the stack", () => {
    let authority: Pem;
    let leaf: Pem;
    let root: X509Certificate;
    let certificate: X509Certificate;

    before(async () => {
        authority = await makeAuthority({ commonName: "postgres PostgreSQL CA" }, 3650);
        leaf = await makeLeaf(authority, request);
        root = new X509Certificate(authority.certificate);
        certificate = new X509Certificate(leaf.certificate);
    });

    it("is signed by its authority, and by no other of the same name", async () => {
        assert.ok(certificate.checkIssued(root) && certificate.verify(root.publicKey));
        assert.ok(root.ca && root.verify(root.publicKey));
        assert.equal(certificate.ca, false);
        const impostor = new X509Certificate(
            (await makeAuthority({ commonName: "postgres PostgreSQL CA" }, 1)).certificate,
        );
        assert.equal(certificate.verify(impostor.publicKey), false);
    });

    it("belongs to its key, and the key to no other certificate", () => {
        assert.ok(certificate.checkPrivateKey(createPrivateKey(leaf.privateKey)));
        assert.ok(root.checkPrivateKey(createPrivateKey(authority.privateKey)));
        assert.equal(root.checkPrivateKey(createPrivateKey(leaf.privateKey)), false);
    });

    it("has its key in SEC1 form, which k3s, etcd and PostgreSQL read", () => {
        assert.match(leaf.privateKey, /^-----BEGIN EC PRIVATE KEY-----\n/);
        assert.equal(createPrivateKey(leaf.privateKey).asymmetricKeyDetails?.namedCurve, "prime256v1");
        assert.match(leaf.certificate, /^-----BEGIN CERTIFICATE-----\n[\s\S]*-----END CERTIFICATE-----\n$/);
    });

    it("carries exactly the names and addresses asked for", () => {
        assert.deepEqual(certificate.subjectAltName?.split(", ").sort(), [
            "DNS:localhost",
            "DNS:postgres-0",
            "DNS:postgres-rw.postgres-proxy.svc.cluster.local",
            "IP Address:10.43.0.64",
            "IP Address:127.0.0.1",
        ]);
        assert.equal(certificate.checkIP("10.43.0.64"), "10.43.0.64");
        assert.equal(certificate.checkIP("10.43.0.65"), undefined);
        assert.equal(certificate.checkHost("postgres-1"), undefined);
    });

    it("is good for what it was asked for and nothing else", async () => {
        const usages = async (...names: LeafRequest["usages"]) =>
            new X509Certificate((await makeLeaf(authority, { ...request, usages: names })).certificate).keyUsage;
        assert.deepEqual(await usages("server"), [serverAuth]);
        assert.deepEqual(await usages("client"), [clientAuth]);
        assert.deepEqual(await usages("server", "client"), [serverAuth, clientAuth]);
    });

    it("names the organization that Kubernetes takes for a group", async () => {
        const admin = {
            ...request,
            commonName: "system:admin",
            organization: "system:masters",
            dnsNames: [],
            ipAddresses: [],
        };
        const made = new X509Certificate((await makeLeaf(authority, admin)).certificate);
        assert.deepEqual(made.subject.split("\n").sort(), ["CN=system:admin", "O=system:masters"]);
        assert.equal(made.subjectAltName, undefined);
    });

    it("is valid from an hour ago, for the days asked for", () => {
        const hours = (text: string) => (new Date(text).getTime() - Date.now()) / 3_600_000;
        assert.ok(Math.abs(hours(certificate.validFrom) + 1) < 0.1);
        assert.ok(Math.abs(hours(certificate.validTo) - 365 * 24) < 0.1);
        assert.ok(Math.abs(daysLeft(leaf.certificate) - 365) < 0.01);
    });

    it("has a positive serial number of its own", async () => {
        const numbers = [certificate.serialNumber, root.serialNumber];
        numbers.push(new X509Certificate((await makeLeaf(authority, request)).certificate).serialNumber);
        assert.equal(new Set(numbers).size, 3);
        assert.ok(
            numbers.every((number) => number.length >= 28 && parseInt(number.padStart(32, "0").slice(0, 2), 16) < 0x80),
        );
    });

    it("is accepted in a handshake by a client that trusts its authority, and refused by one that does not", async () => {
        const server = createServer({ cert: leaf.certificate, key: leaf.privateKey }, (socket) => socket.end());
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        const { port } = server.address() as AddressInfo;
        const handshake = (ca: string | undefined) =>
            new Promise<string>((resolve) => {
                const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca }, () => {
                    resolve("accepted");
                    socket.destroy();
                });
                socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
            });
        try {
            assert.equal(await handshake(authority.certificate), "accepted");
            assert.equal(await handshake(undefined), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
        } finally {
            server.close();
        }
    });

    it("is issued anew by an update in its last 60 days, and left alone before", async () => {
        const inputs = { ...request, authority, renewBeforeDays: 60 };
        const diff = async (validityDays: number) => {
            const pem = await makeLeaf(authority, { ...request, validityDays });
            return certificateStep.diff("", { ...inputs, ...pem }, inputs);
        };
        assert.deepEqual(await diff(61), { changed: false, replaces: [] });
        assert.deepEqual(await diff(59), { changed: true, replaces: [] });
        assert.deepEqual(await diff(-1), { changed: true, replaces: [] });
    });

    it("is issued anew when its names or its authority change", async () => {
        const olds = { ...request, authority, renewBeforeDays: 60, ...leaf };
        const news = { ...request, authority, renewBeforeDays: 60 };
        const other = await makeAuthority({ commonName: "other" }, 10);
        assert.equal((await certificateStep.diff("", olds, { ...news, dnsNames: ["other"] })).changed, true);
        assert.equal((await certificateStep.diff("", olds, { ...news, authority: other })).changed, true);
        const made = await certificateStep.update?.("", olds, { ...news, authority: other });
        assert.ok(
            new X509Certificate(made?.certificate ?? "").verify(new X509Certificate(other.certificate).publicKey),
        );
    });
});

describe("the key of service account tokens", () => {
    it("is RSA in PKCS#1 form", async () => {
        const { outs } = await signingKeyStep.create({ purpose: "service account tokens" });
        assert.match(outs.privateKey, /^-----BEGIN RSA PRIVATE KEY-----\n/);
        assert.equal(createPrivateKey(outs.privateKey).asymmetricKeyDetails?.modulusLength, 2048);
    });
});
