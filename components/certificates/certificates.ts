import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { leafDays, renewBeforeDays } from "./renewal";
import type { LeafRequest } from "./x509";

/** Ten years: an authority outlives the machines; its end is a planned change of trust. */
const authorityDays = 3650;

/** One authority per trust domain: what it signs is trusted there and nowhere else. */
export class CertificateAuthority extends StepResource {
    declare readonly certificate: pulumi.Output<string>;
    declare readonly privateKey: pulumi.Output<string>;

    constructor(name: string, args: { commonName: string }, opts?: pulumi.CustomResourceOptions) {
        super(
            "./components/certificates/authority.step",
            "CertificateAuthority",
            name,
            { ...args, validityDays: authorityDays, certificate: undefined, privateKey: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey"] }),
        );
    }
}

export interface CertificateArgs extends Omit<LeafRequest, "validityDays" | "dnsNames" | "ipAddresses"> {
    authority: CertificateAuthority;
    dnsNames?: string[];
    ipAddresses?: string[];
}

/** A leaf certificate and its key. */
export class Certificate extends StepResource {
    declare readonly certificate: pulumi.Output<string>;
    declare readonly privateKey: pulumi.Output<string>;

    constructor(name: string, args: CertificateArgs, opts?: pulumi.CustomResourceOptions) {
        const { authority, ...request } = args;
        super(
            "./components/certificates/certificate.step",
            "Certificate",
            name,
            {
                ...request,
                dnsNames: request.dnsNames ?? [],
                ipAddresses: request.ipAddresses ?? [],
                validityDays: leafDays,
                renewBeforeDays,
                authority: { certificate: authority.certificate, privateKey: authority.privateKey },
                certificate: undefined,
                privateKey: undefined,
            },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey", "authority"] }),
        );
    }
}

/** A key that signs tokens and is part of no certificate. */
export class SigningKey extends StepResource {
    declare readonly privateKey: pulumi.Output<string>;

    constructor(name: string, args: { purpose: string }, opts?: pulumi.CustomResourceOptions) {
        super(
            "./components/certificates/signing-key.step",
            "SigningKey",
            name,
            { ...args, privateKey: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey"] }),
        );
    }
}

/** A certificate as the files of a Secret, with the authority that its holder trusts. */
export const tlsFiles = (
    { certificate: authority }: CertificateAuthority,
    { certificate, privateKey }: Certificate,
): Record<string, pulumi.Output<string>> => ({
    "ca.crt": authority,
    "tls.crt": certificate,
    "tls.key": pulumi.secret(privateKey),
});
