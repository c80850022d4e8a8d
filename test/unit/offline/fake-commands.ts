import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Puts shell scripts before everything else on PATH; returns what takes them away again. */
export function fakeCommands(directory: string, scripts: Record<string, string>): () => void {
    const bin = join(directory, "fake-bin");
    mkdirSync(bin, { recursive: true });
    for (const [name, script] of Object.entries(scripts)) {
        writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
        chmodSync(join(bin, name), 0o755);
    }
    const path = process.env["PATH"];
    process.env["PATH"] = `${bin}:${path}`;
    return () => {
        process.env["PATH"] = path;
    };
}
