import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryDirectory } from "../offline/release-server";

/** The image's script beside a process that counts its reloads, in place of Patroni. */
describe("renewed certificates in the pod", function () {
    this.timeout(20_000);
    const directory = temporaryDirectory();
    const folder = () => join(directory.path(), "tls");
    const reloads = () => join(directory.path(), "reloads");
    const script = join(__dirname, "../../../components/patroni/image/bin/watch-certificates");
    let patroni: ChildProcess;
    let watch: ChildProcess;

    /** As the kubelet does it: a new folder, and the link `..data` turned to it in one move. */
    function place(version: string): void {
        mkdirSync(join(folder(), version), { recursive: true });
        writeFileSync(join(folder(), version, "tls.crt"), version);
        symlinkSync(version, join(folder(), "..data_tmp"));
        renameSync(join(folder(), "..data_tmp"), join(folder(), "..data"));
    }

    const count = (): number => (existsSync(reloads()) ? readFileSync(reloads(), "utf8").length : 0);

    async function until(holds: () => boolean): Promise<void> {
        for (const end = Date.now() + 10_000; !holds(); await sleep(20)) assert.ok(Date.now() < end, "not in 10 s");
    }

    beforeEach(async () => {
        rmSync(folder(), { recursive: true, force: true });
        rmSync(reloads(), { force: true });
        place("first");
        const counter = `trap 'printf x >> ${reloads()}' HUP; touch ${reloads()}; while :; do sleep 0.05; done`;
        patroni = spawn("bash", ["-c", counter]);
        await until(() => existsSync(reloads()));
        const environment = { ...process.env, WATCH_SECONDS: "0.05" };
        watch = spawn("bash", [script, String(patroni.pid), folder()], { env: environment, stdio: "ignore" });
    });
    afterEach(() => {
        patroni.kill("SIGKILL");
        watch.kill("SIGKILL");
    });

    it("are loaded once, when they change and not before", async () => {
        await sleep(400);
        assert.equal(count(), 0);
        place("second");
        await until(() => count() === 1);
        await sleep(400);
        assert.equal(count(), 1);
        place("third");
        await until(() => count() === 2);
    });

    it("are watched no longer than Patroni lives", async () => {
        patroni.kill("SIGKILL");
        await until(() => watch.exitCode !== null);
    });
});
