import { randomBytes } from "node:crypto";
import {
    CHARACTER_CLASSES,
    encodings,
    isClassOn,
    minimumKey,
    randomText,
    shuffle,
    sourceFor,
    textDefaults,
    uuid,
} from "./random-values";
import { isUnknown, type PropertyMap } from "./values";

export interface Failure {
    readonly property: string;
    readonly reason: string;
}

export interface RandomKind {
    /** Inputs a resource cannot do without. */
    readonly required: readonly string[];
    /** What else is wrong with inputs that are all there. Unknown values are skipped by the caller's helper. */
    readonly check?: (inputs: PropertyMap) => Failure[];
    readonly create: (inputs: PropertyMap) => { id: string; outputs: PropertyMap };
    /** From the id of `pulumi import`; the official provider takes the value itself. */
    readonly import?: (id: string) => { id: string; inputs: PropertyMap; outputs: PropertyMap };
}

function known(inputs: PropertyMap, key: string): number | undefined {
    const value = inputs[key];
    return typeof value === "number" && !isUnknown(value) ? value : undefined;
}

function atLeastOne(key: string) {
    return (inputs: PropertyMap): Failure[] => {
        const value = known(inputs, key);
        if (value === undefined || (Number.isInteger(value) && value >= 1)) return [];
        return [{ property: key, reason: `${key} must be a whole number of at least 1, got ${value}` }];
    };
}

function checkText(inputs: PropertyMap): Failure[] {
    const failures = atLeastOne("length")(inputs);
    const minimums = CHARACTER_CLASSES.map((name) => known(inputs, minimumKey(name)) ?? 0);
    const sum = minimums.reduce((total, minimum) => total + minimum, 0);
    const length = known(inputs, "length");
    if (length !== undefined && length < sum) {
        failures.push({
            property: "length",
            reason: `length must be at least the sum of minLower, minUpper, minNumeric and minSpecial (${sum}), got ${length}`,
        });
    }
    if (inputs.number !== undefined && inputs.numeric !== undefined && inputs.number !== inputs.numeric) {
        failures.push({ property: "number", reason: "number is the older name of numeric: set only numeric" });
    }
    if (CHARACTER_CLASSES.every((name) => !isClassOn(inputs, name))) {
        failures.push({ property: "lower", reason: "at least one of lower, upper, numeric and special must be on" });
    }
    return failures;
}

function createText(inputs: PropertyMap): PropertyMap {
    return { ...textDefaults(inputs), result: randomText(inputs, sourceFor(undefined)) };
}

function importText(value: string): { inputs: PropertyMap; outputs: PropertyMap } {
    const inputs = { ...textDefaults({ length: value.length }) };
    return { inputs, outputs: { ...inputs, result: value } };
}

function uuidKind(version: 4 | 7): RandomKind {
    return {
        required: [],
        create(inputs) {
            const result = uuid(version);
            return { id: result, outputs: { ...inputs, result } };
        },
        import: (id) => ({ id, inputs: {}, outputs: { result: id } }),
    };
}

export const RANDOM_KINDS: Record<string, RandomKind> = {
    RandomPassword: {
        required: ["length"],
        check: checkText,
        // No bcryptHash: it needs bcrypt, which Node does not have. It is left undefined rather than made up.
        create: (inputs) => ({ id: "none", outputs: createText(inputs) }),
        import: (value) => ({ id: "none", ...importText(value) }),
    },
    RandomString: {
        required: ["length"],
        check: checkText,
        create(inputs) {
            const outputs = createText(inputs);
            return { id: String(outputs.result), outputs };
        },
        import: (value) => ({ id: value, ...importText(value) }),
    },
    RandomId: {
        required: ["byteLength"],
        check: atLeastOne("byteLength"),
        create(inputs) {
            const bytes = randomBytes(Number(inputs.byteLength));
            const prefix = typeof inputs.prefix === "string" ? inputs.prefix : "";
            return { id: bytes.toString("base64url"), outputs: { ...inputs, ...encodings(bytes, prefix) } };
        },
        import(id) {
            const comma = id.lastIndexOf(",");
            const prefix = comma < 0 ? "" : id.slice(0, comma);
            const encoded = id.slice(comma + 1);
            const bytes = Buffer.from(encoded, "base64url");
            const inputs = { byteLength: bytes.length, ...(prefix === "" ? {} : { prefix }) };
            return { id: encoded, inputs, outputs: { ...inputs, ...encodings(bytes, prefix) } };
        },
    },
    RandomBytes: {
        required: ["length"],
        check: atLeastOne("length"),
        create(inputs) {
            const bytes = randomBytes(Number(inputs.length));
            return { id: "none", outputs: { ...inputs, base64: bytes.toString("base64"), hex: bytes.toString("hex") } };
        },
        import(id) {
            const bytes = Buffer.from(id, "base64");
            const inputs = { length: bytes.length };
            return { id: "none", inputs, outputs: { ...inputs, base64: id, hex: bytes.toString("hex") } };
        },
    },
    RandomUuid: uuidKind(4),
    RandomUuid4: uuidKind(4),
    RandomUuid7: uuidKind(7),
    RandomInteger: {
        required: ["min", "max"],
        check(inputs) {
            const [min, max] = [known(inputs, "min"), known(inputs, "max")];
            if (min === undefined || max === undefined || min <= max) return [];
            return [{ property: "min", reason: `min must not be larger than max, got ${min} and ${max}` }];
        },
        create(inputs) {
            const [min, max] = [Number(inputs.min), Number(inputs.max)];
            const result = min + sourceFor(inputs.seed)(max - min + 1);
            return { id: String(result), outputs: { ...inputs, result } };
        },
        import(id) {
            const [result, min, max, seed] = id.split(",");
            if (max === undefined) {
                throw new Error(
                    `cannot import RandomInteger "${id}": write it as result,min,max or result,min,max,seed`,
                );
            }
            const inputs = { min: Number(min), max: Number(max), ...(seed === undefined ? {} : { seed }) };
            return { id: String(result), inputs, outputs: { ...inputs, result: Number(result) } };
        },
    },
    RandomShuffle: {
        required: ["inputs"],
        create(inputs) {
            const items: unknown[] = Array.isArray(inputs.inputs) ? inputs.inputs : [];
            const source = sourceFor(inputs.seed);
            const count = Number(inputs.resultCount ?? items.length);
            const results: unknown[] = [];
            // More results than inputs: further rounds over all of them.
            while (items.length > 0 && results.length < count) results.push(...shuffle(items, source));
            return { id: "-", outputs: { ...inputs, results: results.slice(0, count) } };
        },
    },
};
