import { inputDiff, type StepProvider } from "../step";
import { makeAuthority, type Pem } from "./x509";

export interface AuthorityInputs {
    commonName: string;
    validityDays: number;
}

/** A self-signed authority. It is never renewed in place: a new one means new trust everywhere. */
export const provider: StepProvider<AuthorityInputs, AuthorityInputs & Pem> = {
    async create(inputs) {
        const pem = await makeAuthority(inputs, inputs.validityDays);
        return { id: inputs.commonName, outs: { ...inputs, ...pem } };
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news, ["commonName"])),
    update: (_id, olds, news) => Promise.resolve({ ...olds, ...news }),
};
