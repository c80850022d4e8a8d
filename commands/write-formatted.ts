import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { checkout } from "../offline/checkout";

/** A file of the checkout, by its path in it, as `make format` would leave it. */
export async function writeFormatted(path: string, text: string): Promise<void> {
    const file = join(checkout, path);
    writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
    process.stdout.write(`${path}\n`);
}
