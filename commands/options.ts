import { ToolchainError } from "../offline/errors";

/** What was given to a command, on its own line or by make in ARGS. */
export const givenArguments = (): string[] => [
    ...process.argv.slice(2),
    ...(process.env["ARGS"] ?? "").split(/\s+/).filter((word) => word !== ""),
];

/** A whole number of at least 1, from the command line. */
export function positive(option: string, text: string): number {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) {
        throw new ToolchainError(`--${option}: ${text} is no number of at least 1.`, "Give a whole number.");
    }
    return value;
}

/** What is named on the command line, of what there is. */
export function chosen<Item extends { name: string }>(option: string, names: string[], known: Item[]): Item[] {
    return names.map((name) => {
        const found = known.find((item) => item.name === name);
        if (found === undefined) {
            const all = known.map((item) => item.name).join(", ");
            throw new ToolchainError(`--${option}: there is no ${name}.`, `Choose of: ${all}.`);
        }
        return found;
    });
}
