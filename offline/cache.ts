import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { withLock } from "./lock";

/** What one part is made from: two runs with equal keys may share the result. */
export interface PartKey {
    name: string;
    version: string;
    architecture: string;
    /** Digest of everything else that decides the bytes: flags, go.mod, go.sum, sources. */
    recipe: string;
}

/** Parts of older recipes are removed when nothing used them for this long. */
const unusedMs = 30 * 24 * 3600 * 1000;

export function cacheRoot(): string {
    const base = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
    return join(base, "postgres-ha");
}

/** Digest of texts and of the files below the given paths; a path that does not exist counts as empty. */
export function recipeOf(texts: readonly string[], paths: readonly string[] = []): string {
    const hash = createHash("sha256").update(JSON.stringify(texts));
    for (const path of paths) {
        if (!existsSync(path)) continue;
        for (const file of filesBelow(path)) {
            const content = createHash("sha256").update(readFileSync(file)).digest("hex");
            hash.update(`\n${relative(path, file)} ${content}`);
        }
    }
    return hash.digest("hex");
}

function filesBelow(path: string): string[] {
    if (statSync(path).isFile()) return [path];
    const entries = readdirSync(path, { withFileTypes: true }).filter(({ name }) => name !== "node_modules");
    return entries
        .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]))
        .sort();
}

/** Finished parts, one directory each; a directory is there only when it is complete. */
export class Cache {
    constructor(readonly root: string = cacheRoot()) {}

    /** Directory of a finished part, or undefined. */
    find(key: PartKey): string | undefined {
        const directory = join(this.root, "parts", this.nameOf(key));
        if (!existsSync(directory)) return undefined;
        const now = new Date();
        utimesSync(directory, now, now);
        return directory;
    }

    /** The part of another recipe that was used last, of the same version if there is one; it is not marked as used. */
    findEarlier({ name, version, architecture }: PartKey): string | undefined {
        const parts = join(this.root, "parts");
        if (!existsSync(parts)) return undefined;
        const ofName = readdirSync(parts).filter(
            (part) => part.startsWith(`${name}-`) && /-[0-9a-f]{12}$/.test(part) && part.includes(`-${architecture}-`),
        );
        const ofVersion = ofName.filter((part) => part.startsWith(`${name}-${version}-${architecture}-`));
        const usedAt = (path: string): number => statSync(path).mtimeMs;
        return (ofVersion.length > 0 ? ofVersion : ofName)
            .map((part) => join(parts, part))
            .sort((a, b) => usedAt(b) - usedAt(a))[0];
    }

    /**
     * Directory of the part, made first when it is missing. `make` fills an empty directory that becomes visible only
     * when it returns. Two runs that want the same part wait for each other.
     */
    async obtain(
        key: PartKey,
        make: (directory: string) => Promise<void>,
        onWait?: (pid: number) => void,
    ): Promise<string> {
        const ready = this.find(key);
        if (ready !== undefined) return ready;
        const name = this.nameOf(key);
        const work = async (): Promise<string> => {
            const made = this.find(key);
            if (made !== undefined) return made;
            const unfinished = join(this.root, "tmp", name);
            rmSync(unfinished, { recursive: true, force: true });
            mkdirSync(unfinished, { recursive: true });
            try {
                await make(unfinished);
            } catch (error) {
                rmSync(unfinished, { recursive: true, force: true });
                throw error;
            }
            const directory = join(this.root, "parts", name);
            mkdirSync(join(this.root, "parts"), { recursive: true });
            renameSync(unfinished, directory);
            this.removeUnused(key);
            return directory;
        };
        return withLock(join(this.root, "locks", `${name}.lock`), work, onWait);
    }

    logFile(name: string): string {
        mkdirSync(join(this.root, "logs"), { recursive: true });
        return join(this.root, "logs", `${name}.log`);
    }

    private nameOf(key: PartKey): string {
        return `${key.name}-${key.version}-${key.architecture}-${key.recipe.slice(0, 12)}`;
    }

    private removeUnused(key: PartKey): void {
        const parts = join(this.root, "parts");
        for (const name of readdirSync(parts)) {
            if (!name.startsWith(`${key.name}-`)) continue;
            const path = join(parts, name);
            if (Date.now() - statSync(path).mtimeMs > unusedMs) rmSync(path, { recursive: true, force: true });
        }
    }
}
