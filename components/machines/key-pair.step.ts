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
        const pair = utils.generateKeyPairSync("ed25519", { comment: inputs.comment });
        const outs = { ...inputs, privateKey: pair.private, publicKey: pair.public };
        return Promise.resolve({ id: inputs.comment, outs });
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news, ["comment"])),
};
