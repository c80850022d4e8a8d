import { inputDiff, type StepProvider } from "../step";
import { ensureBuilt } from "./build";
import type { Image } from "./image";

/** An image in the local engine. It stays when the stack goes: the next one finds it. */
export const provider: StepProvider<Image> = {
    async create(inputs) {
        await ensureBuilt(inputs);
        return { id: inputs.reference, outs: inputs };
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news)),
    async update(_id, _olds, news) {
        await ensureBuilt(news);
        return news;
    },
};
