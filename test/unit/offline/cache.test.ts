import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cache, recipeOf, type PartKey } from "../../../offline/cache";
import { withLock } from "../../../offline/lock";
import { temporaryDirectory } from "./release-server";

const key: PartKey = { name: "etcd", version: "v1", architecture: "amd64", recipe: recipeOf(["a"]) };

describe("cache of parts", () => {
    const directory = temporaryDirectory();

    it("makes a part once and finds it by name, version, architecture and recipe", async () => {
        const cache = new Cache(directory.path());
        let made = 0;
        const make = (path: string) => {
            made += 1;
            writeFileSync(join(path, "etcd"), "binary");
            return Promise.resolve();
        };
        const path = await cache.obtain(key, make);
        assert.equal(await cache.obtain(key, make), path);
        assert.equal(made, 1);
        assert.equal(cache.find({ ...key, recipe: recipeOf(["b"]) }), undefined);
        assert.equal(cache.find({ ...key, architecture: "arm64" }), undefined);
    });

    it("shows nothing of a part that failed, and makes it again", async () => {
        const cache = new Cache(directory.path());
        const fail = (path: string) => {
            writeFileSync(join(path, "half"), "");
            return Promise.reject(new Error("disk full"));
        };
        await assert.rejects(cache.obtain(key, fail), /disk full/);
        assert.equal(cache.find(key), undefined);
        assert.deepEqual(readdirSync(join(directory.path(), "tmp")), []);
        const path = await cache.obtain(key, () => Promise.resolve());
        assert.deepEqual(readdirSync(path), []);
    });

    it("lets two runs that want the same part wait for each other", async () => {
        const cache = new Cache(directory.path());
        let active = 0;
        let made = 0;
        const make = async () => {
            active += 1;
            made += 1;
            assert.equal(active, 1);
            await sleep(50);
            active -= 1;
        };
        const paths = await Promise.all([1, 2, 3].map(() => cache.obtain(key, make)));
        assert.equal(new Set(paths).size, 1);
        assert.equal(made, 1);
    });

    it("takes over from a process that was killed while it made the part", async function () {
        this.timeout(20_000);
        const script = join(directory.path(), "killed.ts");
        const module = join(__dirname, "../../../offline/cache");
        writeFileSync(
            script,
            `import { writeFileSync } from "node:fs";
            import { Cache } from ${JSON.stringify(module)};
            void new Cache(process.argv[2]).obtain(${JSON.stringify(key)}, async (path) => {
                writeFileSync(path + "/half", "");
                process.stdout.write("making");
                await new Promise((resolve) => setTimeout(resolve, 60000));
            });`,
        );
        const child = spawn(process.execPath, ["--import", "tsx", script, directory.path()], {
            stdio: ["ignore", "pipe", "inherit"],
        });
        await new Promise((resolve) => child.stdout.once("data", resolve));
        const cache = new Cache(directory.path());
        const waited: number[] = [];
        const other = cache.obtain(
            key,
            () => Promise.resolve(),
            (pid) => waited.push(pid),
        );
        await sleep(400);
        assert.deepEqual(waited, [child.pid]);
        child.kill("SIGKILL");
        assert.deepEqual(readdirSync(await other), [], "what the killed run left must not be in the part");
    });

    it("removes parts of older recipes that nothing used for a month", async () => {
        const cache = new Cache(directory.path());
        const old = await cache.obtain(key, () => Promise.resolve());
        utimesSync(old, new Date(0), new Date(0));
        await cache.obtain({ ...key, recipe: recipeOf(["b"]) }, () => Promise.resolve());
        assert.equal(existsSync(old), false);
    });

    it("gives another recipe when a source file changes", () => {
        const source = join(directory.path(), "src");
        mkdirSync(source);
        writeFileSync(join(source, "main.go"), "one");
        const before = recipeOf(["flags"], [source]);
        assert.equal(recipeOf(["flags"], [source]), before);
        writeFileSync(join(source, "main.go"), "two");
        assert.notEqual(recipeOf(["flags"], [source]), before);
        assert.notEqual(recipeOf(["other flags"], [source]), before);
    });
});

describe("lock file", () => {
    const directory = temporaryDirectory();

    it("is taken over when its process is gone or its number was given to another", async () => {
        const file = join(directory.path(), "a.lock");
        for (const owner of [
            { pid: 2 ** 22 - 1, started: "1", host: hostname() },
            { pid: process.pid, started: "1", host: hostname() },
        ]) {
            writeFileSync(file, JSON.stringify(owner));
            assert.equal(await withLock(file, () => Promise.resolve("done")), "done");
            assert.equal(existsSync(file), false);
        }
    });

    it("names its owner while it is held and is given back after a failure", async () => {
        const file = join(directory.path(), "a.lock");
        await assert.rejects(
            withLock(file, () => {
                assert.equal((JSON.parse(readFileSync(file, "utf8")) as { pid: number }).pid, process.pid);
                return Promise.reject(new Error("failed"));
            }),
            /failed/,
        );
        assert.equal(existsSync(file), false);
    });

    it("is held by one at a time when many find a dead owner at once", async () => {
        const file = join(directory.path(), "a.lock");
        writeFileSync(file, JSON.stringify({ pid: 2 ** 22 - 1, started: "1", host: hostname() }));
        let active = 0;
        const work = async () => {
            active += 1;
            assert.equal(active, 1);
            await sleep(5);
            active -= 1;
        };
        await Promise.all(Array.from({ length: 5 }, () => withLock(file, work)));
    });
});
