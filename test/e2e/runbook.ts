import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { Cluster } from "../../drills/cluster";
import { checkout } from "../../offline/checkout";

const textOf = (page: string): string =>
    readFileSync(join(checkout, "docs", "runbooks", `${page}.md`), "utf8").replaceAll(/\\\n\s*/g, "");

/** The code blocks of a text as a person would paste them, each command on a line. */
const blocksIn = (text: string): string[] =>
    [...text.matchAll(/^\s*```\n([^`]*)^\s*```/gm)].map(([, block]) => (block ?? "").trim());

/** The code blocks under one heading of a page. */
export function blocksOf(page: string, heading: string): string[] {
    const [, section] = textOf(page).split(`\n## ${heading}\n`);
    if (section === undefined) throw new Error(`docs/runbooks/${page}.md has no heading "${heading}"`);
    return blocksIn(section.split("\n## ")[0] ?? "");
}

/** Every command of a page, in code blocks and in the text, as it stands there. */
export function commandsOf(page: string): string[] {
    const text = textOf(page);
    const blocks = blocksIn(text).flatMap((block) => block.split("\n"));
    const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span ?? "");
    return [...blocks, ...spans]
        .map((line) => line.trim())
        .filter((line) => /^(make|pulumi|kubectl) [a-z-]/.test(line));
}

/** For one test file, with the running stack. */
export function useRunbookShell(cluster: () => Cluster): () => RunbookShell {
    let shell: RunbookShell | undefined;
    before(() => (shell = new RunbookShell(cluster())));
    after(() => shell?.remove());
    return () => {
        assert.ok(shell !== undefined, "the stack was not opened");
        return shell;
    };
}

/** As the shell of `make env`, with kubectl as docs/runbooks/README.md has it for dev. */
export class RunbookShell {
    /** For what a page saves. */
    readonly folder = mkdtempSync(join(tmpdir(), "postgres-ha-runbooks-"));

    constructor(private readonly cluster: Cluster) {
        const server = cluster.state.machines.find(({ role }) => role === "server")?.container ?? "";
        const kubectl = `#!/bin/sh\nexec docker exec -i ${server} k3s kubectl "$@"\n`;
        writeFileSync(join(this.folder, "kubectl"), kubectl, { mode: 0o755 });
    }

    remove(): void {
        rmSync(this.folder, { recursive: true, force: true });
    }

    /** Not in the way of the writers in this process. */
    run(command: string, { input = "", cwd = checkout } = {}): Promise<{ status: number | null; output: string }> {
        const { environment } = this.cluster.workspace;
        const child = spawn("bash", ["-c", command], {
            cwd,
            env: {
                ...environment,
                PATH: [this.folder, environment["PATH"]].join(delimiter),
                // A person would answer yes.
                PULUMI_SKIP_CONFIRMATIONS: "true",
            },
            timeout: 600_000,
        });
        let output = "";
        for (const stream of [child.stdout, child.stderr])
            stream.on("data", (data: Buffer) => (output += String(data)));
        // One that reads nothing may have ended.
        child.stdin.on("error", () => undefined);
        child.stdin.end(input);
        return new Promise((resolve, reject) => {
            child.on("error", reject);
            child.on("close", (status) => resolve({ status, output }));
        });
    }
}
