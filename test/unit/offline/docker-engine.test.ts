import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureDockerEngine, ownEngine, stopDockerEngine, type EngineOptions } from "../../../offline/docker-engine";
import { setSilent } from "../../../offline/progress";
import { fakeCommands } from "./fake-commands";
import { temporaryDirectory } from "./release-server";

/** Runs against scripts in place of docker and dockerd: it proves who is started and stopped, not that containers run. */
describe("container engine", function () {
    this.timeout(20_000);
    const directory = temporaryDirectory();
    let options: EngineOptions;
    let restore: () => void;
    const answering = () => join(directory.path(), "answering");
    const startedWith = () => join(directory.path(), "arguments");

    before(function () {
        setSilent(true);
        if (process.getuid?.() !== 0) this.skip();
    });
    after(() => setSilent(false));
    beforeEach(() => {
        options = { directory: directory.path(), dataRoot: "/data", socket: join(directory.path(), "docker.sock") };
        const stop = `rm -f ${answering()}; exit 0`;
        restore = fakeCommands(directory.path(), {
            docker: `test -e ${answering()} && echo 20.10`,
            dockerd: `echo "$@" > ${startedWith()}; touch ${answering()}; trap '${stop}' TERM; while :; do sleep 0.05; done`,
        });
    });
    afterEach(async () => {
        await stopDockerEngine(options);
        restore();
    });

    it("uses an engine that answers and never stops it", async () => {
        writeFileSync(answering(), "");
        await ensureDockerEngine(options);
        assert.equal(ownEngine(options), undefined);
        assert.equal(await stopDockerEngine(options), false);
        assert.ok(existsSync(answering()));
        assert.equal(existsSync(startedWith()), false);
    });

    it("starts one that outlives the command, and stops that one", async () => {
        await ensureDockerEngine(options);
        assert.ok(ownEngine(options) !== undefined);
        assert.equal(readFileSync(startedWith(), "utf8").trim(), `--data-root /data --host unix://${options.socket}`);
        assert.equal(await stopDockerEngine(options), true);
        assert.equal(existsSync(answering()), false);
        assert.equal(await stopDockerEngine(options), false);
    });

    it("does not touch a process that was given the number of an engine of ours", async () => {
        writeFileSync(join(directory.path(), "dockerd.json"), JSON.stringify({ pid: process.pid, started: "1" }));
        assert.equal(ownEngine(options), undefined);
        assert.equal(await stopDockerEngine(options), false);
    });

    it("shows the end of the engine's log when it dies", async () => {
        restore();
        restore = fakeCommands(directory.path(), {
            docker: "exit 1",
            dockerd: "echo 'failed to mount overlay' >&2; exit 1",
        });
        await assert.rejects(
            ensureDockerEngine(options),
            /Command: dockerd --data-root[^]*failed to mount overlay[^]*Log: /,
        );
        assert.equal(ownEngine(options), undefined);
    });
});
