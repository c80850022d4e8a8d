import { readdirSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../offline/checkout";
import { ToolchainError } from "../../offline/errors";

/** The patches beside the Patroni image, by number: the part of the file's name before the first hyphen. */
export function allPatches(): string[] {
    return readdirSync(join(checkout, "components/patroni/image/patches"))
        .filter((file) => file.endsWith(".patch"))
        .map((file) => file.split("-")[0] ?? file)
        .sort();
}

/** `all`, `none` or numbers. The floor of ttl (10) is in every variant: it is what makes a round short. */
export function chosenPatches(text: string): string[] {
    const all = allPatches();
    const wanted = text === "all" ? all : text === "none" ? [] : text.split(",");
    const unknown = wanted.filter((number) => !all.includes(number));
    if (unknown.length > 0) {
        throw new ToolchainError(`There is no patch ${unknown.join(", ")}.`, `Choose of: ${all.join(", ")}.`);
    }
    return [...new Set(["10", ...wanted])].sort();
}
