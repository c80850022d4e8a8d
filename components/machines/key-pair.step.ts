import { utils } from "ssh2";
import { inputDiff, type StepProvider } from "../step";

export interface KeyPairInputs {
    /** What the key is for; the comment in its public form. */
    comment: string;
}

export interface KeyPairOutputs extends KeyPairInputs {
    privateKey: string;
    publicKey: string;
}

/** An ed25519 key in OpenSSH form. */
export const provider: StepProvider<KeyPairInputs, KeyPairOutputs> = {
    create(inputs) {
        const pair = generateKeyPair(inputs.comment);
        const outs = { ...inputs, privateKey: pair.private, publicKey: pair.public };
        return Promise.resolve({ id: inputs.comment, outs });
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news, ["comment"])),
};

/** ssh2 1.17 makes about one ed25519 key in 170 in a form that it does not read itself; such a one is thrown away. */
export function generateKeyPair(comment: string): { private: string; public: string } {
    for (let attempt = 1; attempt <= 10; attempt += 1) {
        const pair = utils.generateKeyPairSync("ed25519", { comment });
        if (!(utils.parseKey(pair.private) instanceof Error)) {
            return pair;
        }
    }
    throw new Error("no usable SSH key was made in 10 attempts; run it again");
}
