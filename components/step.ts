import { isDeepStrictEqual } from "node:util";

/**
 * A machine-side step with real create / read / update / delete, run by a dynamic resource (see dynamic.ts).
 * Every method can be run again: what already exists is adopted, what is already gone is fine.
 */
export interface StepProvider<Inputs extends object, Outputs extends object = Inputs> {
    create(inputs: Inputs): Promise<{ id: string; outs: Outputs }>;
    /** Undefined when the thing is gone: refresh drops it from the state and the next update makes it again. */
    read?(id: string, outputs: Outputs): Promise<Outputs | undefined>;
    /** May look at the real thing: what is found missing is reported as a change. */
    diff(id: string, olds: Outputs, news: Inputs): Promise<StepDiff>;
    update?(id: string, olds: Outputs, news: Inputs): Promise<Outputs>;
    delete?(id: string, outputs: Outputs): Promise<void>;
}

export interface StepDiff {
    changed: boolean;
    /** Inputs whose change needs a new one. The old one is always deleted first: names and addresses are fixed. */
    replaces: string[];
}

/** What the engine passes for an input that is not known yet, in previews. */
export const unknownInput = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** The inputs that differ from the stored ones, compared by value. `__provider` is the engine's own. */
export function changedInputs(olds: object, news: object): string[] {
    return Object.entries(news)
        .filter(([key]) => key !== "__provider")
        .filter(([key, value]) => !isDeepStrictEqual(value, (olds as Record<string, unknown>)[key]))
        .map(([key]) => key);
}

/** The usual answer of `diff`: any changed input is an update, those named need a replacement. */
export function inputDiff(olds: object, news: object, replaceOn: string[] = []): StepDiff {
    const changed = changedInputs(olds, news);
    return { changed: changed.length > 0, replaces: changed.filter((key) => replaceOn.includes(key)) };
}
