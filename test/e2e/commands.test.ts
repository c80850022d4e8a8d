import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { checkout } from "../../offline/checkout";
import { measured, useCluster } from "./support";

function run(script: string, args: string[] = [], environment: NodeJS.ProcessEnv = {}) {
    const begin = performance.now();
    const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ["--import", "tsx", join(checkout, script), ...args],
        {
            cwd: checkout,
            encoding: "utf8",
            env: { ...process.env, ...environment },
            timeout: 60_000,
        },
    );
    return { status, stdout, stderr, seconds: (performance.now() - begin) / 1000 };
}

const folder = mkdtempSync(join(tmpdir(), "postgres-ha-path-"));

/** A folder with every command of this host but psql. */
function pathWithoutPsql(): string {
    for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
        for (const name of readable(directory).filter((command) => command !== "psql")) {
            try {
                symlinkSync(join(directory, name), join(folder, name));
            } catch {
                // Earlier folders of PATH win.
            }
        }
    }
    return folder;
}

function readable(directory: string): string[] {
    try {
        return readdirSync(directory);
    } catch {
        return [];
    }
}

describe("commands on the running stack", () => {
    const cluster = useCluster();

    after(() => rmSync(folder, { recursive: true, force: true }));

    /** On a starved host an answer may come later than the status waits for it, and so may a backup's end. */
    function status(...args: string[]): ReturnType<typeof run> {
        for (const end = Date.now() + 100_000; ;) {
            const said = run("commands/status.ts", args);
            if (said.status === 0 || Date.now() > end) return said;
        }
    }

    it("make status says that the stack serves and is redundant, on one screen", function () {
        this.timeout(120_000);
        const { status: exitCode, stdout, stderr, seconds } = status();
        measured("make status", seconds);
        assert.equal(exitCode, 0, stdout + stderr);
        assert.match(stdout, /serving {4}yes/);
        assert.match(stdout, /redundant {2}yes/);
        assert.match(stdout, /recoverable {2}yes/);
        assert.ok(stdout.split("\n").length <= 50, stdout);
    });

    it("make status prints the same as JSON", function () {
        this.timeout(120_000);
        const { status: exitCode, stdout } = status("--json");
        const { serving, redundant, instances } = JSON.parse(stdout) as Record<string, unknown>;
        assert.deepEqual([exitCode, serving, redundant, (instances as unknown[]).length], [0, true, true, 3]);
    });

    it("make psql runs a statement on the primary, with its arguments quoted as a shell does", () => {
        const ARGS = `--tuples-only --no-align -c "select 'a b', pg_is_in_recovery()"`;
        const { status, stdout, stderr } = run("commands/psql.ts", [], { ARGS });
        assert.equal(status, 0, stderr);
        assert.equal(stdout.trim(), "a b|f");
    });

    it("make psql works in the primary's pod where psql is not installed", () => {
        const ARGS = `--tuples-only --no-align -c "select 'a b', pg_is_in_recovery()"`;
        const environment = { ARGS, PATH: pathWithoutPsql() };
        const { status, stdout, stderr } = run("commands/psql.ts", [], environment);
        assert.equal(status, 0, stderr);
        assert.match(stderr, /in the pod postgres-\d/);
        assert.equal(stdout.trim(), "a b|f");
    });

    it("the sample application writes, and reads from a replica", () => {
        const { stdout, status, stderr } = run("examples/app.ts", [], {
            ...cluster().workspace.environment,
            ORDERS: "3",
        });
        assert.equal(status, 0, stderr);
        assert.match(stdout, /order 3 written; a replica/);
    });
});
