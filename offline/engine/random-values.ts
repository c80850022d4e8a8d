import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto";
import type { PropertyMap } from "./values";

/** A number from 0 up to, not including, `limit`. */
export type Source = (limit: number) => number;

const CHARACTERS = {
    lower: "abcdefghijklmnopqrstuvwxyz",
    upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    numeric: "0123456789",
    special: "!@#$%&*()-_=+[]{}<>:?",
};
export type CharacterClass = keyof typeof CHARACTERS;
export const CHARACTER_CLASSES = Object.keys(CHARACTERS) as CharacterClass[];

export function minimumKey(name: CharacterClass): string {
    return `min${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** `number` is the older name of `numeric`; both are defaults of true. */
export function isClassOn(inputs: PropertyMap, name: CharacterClass): boolean {
    const value = name === "numeric" ? (inputs.numeric ?? inputs.number) : inputs[name];
    return value !== false;
}

export function shuffle<Item>(items: readonly Item[], source: Source): Item[] {
    const shuffled = [...items];
    for (let index = shuffled.length - 1; index > 0; index -= 1) {
        const other = source(index + 1);
        [shuffled[index], shuffled[other]] = [shuffled[other] as Item, shuffled[index] as Item];
    }
    return shuffled;
}

/** The minimum of each class first, the rest from all classes, then in random order. */
export function randomText(inputs: PropertyMap, source: Source): string {
    const override = typeof inputs.overrideSpecial === "string" ? inputs.overrideSpecial : "";
    const charactersOf = (name: CharacterClass): string =>
        name === "special" && override !== "" ? override : CHARACTERS[name];
    const pick = (characters: string): string => characters.charAt(source(characters.length));
    const classes = CHARACTER_CLASSES.filter((name) => isClassOn(inputs, name));
    const chosen = classes.flatMap((name) =>
        Array.from({ length: Number(inputs[minimumKey(name)] ?? 0) }, () => pick(charactersOf(name))),
    );
    const everything = classes.map(charactersOf).join("");
    while (chosen.length < Number(inputs.length)) chosen.push(pick(everything));
    return shuffle(chosen, source).join("");
}

export function textDefaults(inputs: PropertyMap): PropertyMap {
    const numeric = isClassOn(inputs, "numeric");
    return {
        lower: true,
        upper: true,
        special: true,
        minLower: 0,
        minUpper: 0,
        minNumeric: 0,
        minSpecial: 0,
        ...inputs,
        numeric,
        number: numeric,
    };
}

export function encodings(bytes: Buffer, prefix: string): PropertyMap {
    const hex = bytes.toString("hex");
    return {
        b64Url: prefix + bytes.toString("base64url"),
        b64Std: prefix + bytes.toString("base64"),
        hex: prefix + hex,
        dec: prefix + BigInt(`0x${hex || "0"}`).toString(),
    };
}

/**
 * With a seed the result is repeatable, from a hash chain. It is not the same sequence as the official provider's
 * (that is Go's math/rand); values live in state, so an existing one never changes.
 */
export function sourceFor(seed: unknown): Source {
    if (typeof seed !== "string" || seed === "") return (limit) => randomInt(limit);
    let counter = 0;
    return (limit) => {
        const digest = createHash("sha256").update(`${seed}:${counter}`).digest();
        counter += 1;
        return Number(digest.readBigUInt64BE() % BigInt(limit));
    };
}

export function uuid(version: 4 | 7): string {
    if (version === 4) return randomUUID();
    const bytes = randomBytes(16);
    bytes.writeUIntBE(Date.now(), 0, 6);
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
