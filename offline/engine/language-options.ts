import { nonEmpty, type PropertyMap } from "./values";

export const PACKAGE_MANAGERS = ["auto", "npm", "yarn", "pnpm", "bun"] as const;
export type PackageManager = (typeof PACKAGE_MANAGERS)[number];

/** `runtime.options` of Pulumi.yaml. */
export interface LanguageOptions {
    /** Compile TypeScript with the SDK's ts-node. @default true */
    readonly typescript: boolean;
    /** Path of tsconfig.json for ts-node. */
    readonly tsconfig: string | undefined;
    /** Arguments for node itself, before the program. */
    readonly nodeArguments: readonly string[];
    readonly packageManager: PackageManager;
    /** Leave devDependencies out of an installation. */
    readonly production: boolean;
}

function typed<Value>(options: PropertyMap, key: string, type: "string" | "boolean"): Value | undefined {
    const value = options[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== type) {
        throw new Error(`Pulumi.yaml: runtime option "${key}" must be a ${type}, got ${JSON.stringify(value)}`);
    }
    return value as Value;
}

/** Splits as a shell does: blanks separate, single and double quotes and backslashes keep together. */
export function shellWords(text: string): string[] {
    const words: string[] = [];
    let word: string | undefined;
    let quote = "";
    for (let index = 0; index < text.length; index += 1) {
        const character = text.charAt(index);
        if (quote !== "" && character === quote) {
            quote = "";
        } else if (character === "\\" && quote !== "'" && index + 1 < text.length) {
            index += 1;
            word = (word ?? "") + text.charAt(index);
        } else if (quote !== "") {
            word += character;
        } else if (character === '"' || character === "'") {
            quote = character;
            word ??= "";
        } else if (/\s/.test(character)) {
            if (word !== undefined) words.push(word);
            word = undefined;
        } else {
            word = (word ?? "") + character;
        }
    }
    if (quote !== "") throw new Error(`Pulumi.yaml: runtime option "nodeargs" has an unclosed ${quote}: ${text}`);
    if (word !== undefined) words.push(word);
    return words;
}

export function parseOptions(options: PropertyMap): LanguageOptions {
    const packageManager = typed<string>(options, "packagemanager", "string") ?? "auto";
    if (!(PACKAGE_MANAGERS as readonly string[]).includes(packageManager)) {
        const choices = PACKAGE_MANAGERS.join(", ");
        throw new Error(
            `Pulumi.yaml: runtime option "packagemanager" must be one of ${choices}, got "${packageManager}"`,
        );
    }
    return {
        typescript: typed<boolean>(options, "typescript", "boolean") ?? true,
        tsconfig: nonEmpty(typed<string>(options, "tsconfig", "string")),
        nodeArguments: shellWords(typed<string>(options, "nodeargs", "string") ?? ""),
        packageManager: packageManager as PackageManager,
        production: typed<boolean>(options, "production", "boolean") ?? false,
    };
}

/** What the SDK's run script reads of these options. */
export function optionEnvironment(options: LanguageOptions): Record<string, string> {
    return {
        ...(options.typescript ? { PULUMI_NODEJS_TYPESCRIPT: "true" } : {}),
        ...(options.tsconfig ? { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig } : {}),
    };
}
