import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** The runner's own code is Python, as is Patroni in the image it shares. */
describe("the backup code of the Patroni image", () => {
    it("decides, plans, and finds gaps as its own tests say", function () {
        const python = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]);
        if (python.status !== 0) {
            console.log("skipped: python3 (3.10 or newer) is not on PATH");
            this.skip();
        }
        const stand =
            "import sys, types; sys.modules['psycopg2'] = types.ModuleType('psycopg2'); sys.modules['psycopg2'].Error = Exception; sys.dont_write_bytecode = True; ";
        const run = `import runpy; runpy.run_path(${JSON.stringify(join(__dirname, "image", "test_backup.py"))}, run_name="__main__")`;
        const { status, stderr } = spawnSync("python3", ["-c", stand + run], { encoding: "utf8" });
        assert.equal(status, 0, stderr);
        assert.match(stderr, /Ran (2[0-9]|[3-9]\d) tests/);
    });
});
