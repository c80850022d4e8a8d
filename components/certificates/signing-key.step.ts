import { generateKeyPairSync } from "node:crypto";
import { inputDiff, type StepProvider } from "../step";

export interface SigningKeyInputs {
    purpose: string;
}

/** An RSA key in PKCS#1 form, as Kubernetes signs service account tokens with. */
export const provider: StepProvider<SigningKeyInputs, SigningKeyInputs & { privateKey: string }> = {
    create(inputs) {
        const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
        const pem = privateKey.export({ type: "pkcs1", format: "pem" }) as string;
        return Promise.resolve({ id: inputs.purpose, outs: { ...inputs, privateKey: pem } });
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news, ["purpose"])),
};
