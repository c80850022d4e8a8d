import { copyFileSync, linkSync } from "node:fs";

/** The same bytes under another name, without using the space twice where the file system can. */
export function linkOrCopy(from: string, to: string): void {
    try {
        linkSync(from, to);
    } catch {
        copyFileSync(from, to);
    }
}
