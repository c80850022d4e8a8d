import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** What editors, merges, systems and interpreters leave in a folder: it is part of nothing that is built from it. */
export const isStray = (name: string): boolean => /^\.|~$|^__pycache__$|\.(orig|rej|bak)$/.test(name);

/** Tells whether what is made of these texts is still the same. */
export function textDigest(...texts: string[]): string {
    const hash = createHash("sha256");
    for (const text of texts) hash.update(text);
    return hash.digest("hex").slice(0, 16);
}

/** Digest of a folder's files (names, modes, contents) and of anything else that decides what is built from it. */
export function contentDigest(folder: string, ...extra: string[]): string {
    const hash = createHash("sha256");
    for (const file of filesBelow(folder)) {
        const executable = (statSync(file).mode & 0o100) !== 0;
        hash.update(`${relative(folder, file)}\0${executable}\0`);
        hash.update(readFileSync(file));
        hash.update("\0");
    }
    for (const text of extra) {
        hash.update(`${text}\0`);
    }
    return hash.digest("hex").slice(0, 16);
}

function filesBelow(folder: string): string[] {
    return readdirSync(folder, { withFileTypes: true })
        .filter(({ name }) => !isStray(name))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .flatMap((entry) => {
            const path = join(folder, entry.name);
            return entry.isDirectory() ? filesBelow(path) : [path];
        });
}
