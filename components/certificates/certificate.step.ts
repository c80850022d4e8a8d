import { inputDiff, type StepProvider } from "../step";
import { daysLeft, makeLeaf, type LeafRequest, type Pem } from "./x509";

export interface CertificateInputs extends LeafRequest {
    authority: Pem;
    /** Days before the end at which an update makes a new one. */
    renewBeforeDays: number;
}

/** A certificate signed by one of the stack's authorities; issued again on a change and before it ends. */
export const provider: StepProvider<CertificateInputs, CertificateInputs & Pem> = {
    async create(inputs) {
        return { id: inputs.commonName, outs: { ...inputs, ...(await makeLeaf(inputs.authority, inputs)) } };
    },
    diff(_id, olds, news) {
        const diff = inputDiff(olds, news);
        return Promise.resolve({ ...diff, changed: diff.changed || daysLeft(olds.certificate) < news.renewBeforeDays });
    },
    async update(_id, _olds, news) {
        return { ...news, ...(await makeLeaf(news.authority, news)) };
    },
};
