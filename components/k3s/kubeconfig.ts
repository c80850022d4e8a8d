import { stringify } from "yaml";

export interface KubeconfigInput {
    name: string;
    /** `https://<address>:6443` of a server. */
    server: string;
    certificateAuthority: string;
    clientCertificate: string;
    clientKey: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** An administrator's kubeconfig, made from certificates of the program: known before the cluster exists. */
export function renderKubeconfig(input: KubeconfigInput): string {
    return stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [
            {
                name: input.name,
                cluster: {
                    server: input.server,
                    "certificate-authority-data": base64(input.certificateAuthority),
                },
            },
        ],
        users: [
            {
                name: input.name,
                user: {
                    "client-certificate-data": base64(input.clientCertificate),
                    "client-key-data": base64(input.clientKey),
                },
            },
        ],
        contexts: [{ name: input.name, context: { cluster: input.name, user: input.name } }],
        "current-context": input.name,
    });
}
