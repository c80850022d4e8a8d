import { askJson } from "../https";
import { waitUntilItWorks } from "../progress";
import { unknownInput, type StepProvider } from "../step";

export interface IdentityInputs {
    /** `https://<address>:6443` of a server that answers. */
    server: string;
    certificateAuthority: string;
    clientCertificate: string;
    clientKey: string;
    /** Identities of the servers' machines; the engine makes all of them unknown at once when it asks what a loss entails. */
    instances: string[] | typeof unknownInput;
    /** Whether another cluster is refused until a refresh has seen that what the old one held is gone. */
    protectData: boolean;
}

export interface IdentityOutputs extends IdentityInputs {
    /** The same as long as the cluster's own etcd lives. */
    identity: string;
}

/**
 * Which Kubernetes cluster answers. Authorities and addresses are the stack's and outlive a cluster whose machines were
 * all lost; the namespace kube-system is made once in a cluster's life and has a UID of its own.
 */
export const provider: StepProvider<IdentityInputs, IdentityOutputs> = {
    async create(inputs) {
        return { id: "identity", outs: { ...inputs, identity: await waitForIdentity(inputs) } };
    },
    async read(_id, known) {
        const identity = await askIdentity(known).catch(() => known.identity);
        return { ...known, identity };
    },
    /** Other certificates or another server's address are no change: what answers there is looked at. */
    async diff(_id, olds, news) {
        const { instances } = news;
        if (instances === unknownInput || instances.every((instance) => instance === unknownInput)) {
            return { changed: true, replaces: [] };
        }
        const api = Object.values(news).includes(unknownInput) ? olds : news;
        const identity = await askIdentity(api).catch((error: unknown) => {
            // In a preview, as an update gets here only when its nodes are ready: they are then looked at again.
            console.log(`the Kubernetes API does not answer (${(error as Error).message}); taken for the same cluster`);
            return olds.identity;
        });
        return { changed: identity !== olds.identity, replaces: [] };
    },
    async update(_id, olds, news) {
        const identity = await waitForIdentity(news);
        if (news.protectData && identity !== olds.identity) {
            throw new Error(
                `${news.server}: another Kubernetes cluster answers (${identity}, not ${olds.identity}), and protectData ` +
                    "is on: nothing in it was touched. When the old cluster is really gone, run `pulumi up --refresh`",
            );
        }
        return { ...news, identity };
    },
};

const waitForIdentity = (api: IdentityInputs): Promise<string> =>
    waitUntilItWorks("the Kubernetes API", 120, () => askIdentity(api));

async function askIdentity(api: IdentityInputs): Promise<string> {
    const { hostname: host, port } = new URL(api.server);
    const path = "/api/v1/namespaces/kube-system";
    const tls = { ca: api.certificateAuthority, cert: api.clientCertificate, key: api.clientKey };
    const question = { host, port: Number(port), path, tls, timeoutMs: 10_000 };
    const { metadata } = await askJson<{ metadata?: { uid?: string } }>(question);
    if (metadata?.uid === undefined) throw new Error(`${host}:${port}${path}: no UID in the answer`);
    return metadata.uid;
}
