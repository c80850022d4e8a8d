import "reflect-metadata";
import { randomBytes, webcrypto, KeyObject, createPrivateKey } from "node:crypto";
import * as x509 from "@peculiar/x509";

const crypto = webcrypto as Crypto;
x509.cryptoProvider.set(crypto);

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A certificate and its private key, both PEM (the key in SEC1 form, which every consumer here reads). */
export interface Pem {
    certificate: string;
    privateKey: string;
}

export interface Subject {
    commonName: string;
    organization?: string;
}

export interface LeafRequest extends Subject {
    dnsNames: string[];
    ipAddresses: string[];
    usages: ("server" | "client")[];
    validityDays: number;
}

export async function makeAuthority(subject: Subject, validityDays: number): Promise<Pem> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        serialNumber: serialNumber(),
        name: distinguishedName(subject),
        ...validity(validityDays),
        signingAlgorithm: algorithm,
        keys,
        extensions: [
            new x509.BasicConstraintsExtension(true, undefined, true),
            new x509.KeyUsagesExtension(
                x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
                true,
            ),
            await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        ],
    });
    return { certificate: pemOf(certificate), privateKey: sec1(keys.privateKey) };
}

export async function makeLeaf(authority: Pem, request: LeafRequest): Promise<Pem> {
    const issuer = new x509.X509Certificate(authority.certificate);
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const names = [
        ...request.dnsNames.map((value) => ({ type: "dns" as const, value })),
        ...request.ipAddresses.map((value) => ({ type: "ip" as const, value })),
    ];
    const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serialNumber(),
        subject: distinguishedName(request),
        issuer: issuer.subjectName,
        ...validity(request.validityDays),
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey: await importSigningKey(authority.privateKey),
        extensions: [
            new x509.BasicConstraintsExtension(false, undefined, true),
            new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
            new x509.ExtendedKeyUsageExtension(
                request.usages.map((usage) => x509.ExtendedKeyUsage[usage === "server" ? "serverAuth" : "clientAuth"]),
            ),
            ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
            await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
        ],
    });
    return { certificate: pemOf(certificate), privateKey: sec1(keys.privateKey) };
}

/** Days until the certificate ends; negative when it has. */
export const daysLeft = (certificate: string): number =>
    (new x509.X509Certificate(certificate).notAfter.getTime() - Date.now()) / 86_400_000;

const distinguishedName = ({ commonName, organization }: Subject): x509.JsonName => [
    ...(organization === undefined ? [] : [{ O: [organization] }]),
    { CN: [commonName] },
];

/** Positive and 127 bits long: a leading bit of 1 would make it negative. */
const serialNumber = (): string => {
    const bytes = randomBytes(16);
    bytes[0] = (bytes[0] ?? 0) & 0x7f || 1;
    return bytes.toString("hex");
};

/** Valid from an hour ago: clocks of new machines may be behind. */
const validity = (days: number): { notBefore: Date; notAfter: Date } => ({
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + days * 86_400_000),
});

const sec1 = (key: CryptoKey): string => KeyObject.from(key).export({ type: "sec1", format: "pem" }) as string;

const pemOf = (certificate: x509.X509Certificate): string => certificate.toString("pem").trimEnd() + "\n";

const importSigningKey = (pem: string): Promise<CryptoKey> =>
    crypto.subtle.importKey(
        "pkcs8",
        createPrivateKey(pem).export({ type: "pkcs8", format: "der" }) as unknown as BufferSource,
        algorithm,
        false,
        ["sign"],
    );
