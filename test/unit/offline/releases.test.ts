import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { versions } from "../../../components/versions";
import { Cache } from "../../../offline/cache";
import { UnreachableError } from "../../../offline/errors";
import { decideOrigin, obtainFrom, OriginRecord, pathWithout } from "../../../offline/origin";
import { binaryArchitecture, hostArchitecture } from "../../../offline/platform";
import { setSilent } from "../../../offline/progress";
import { modeOfParts, officialMode, Reachability } from "../../../offline/reachability";
import { obtainRelease, releaseKey, siteOf } from "../../../offline/releases";
import { elf, ReleaseServer, sha256, temporaryDirectory } from "./release-server";

const quick = { pauseMs: 5, stallMs: 200, answerMs: 1000, attempts: 2 };

describe("official releases", () => {
    const directory = temporaryDirectory();
    const saved = { ...process.env };
    let server: ReleaseServer;
    let base: string;
    let cache: Cache;

    before(() => setSilent(true));
    after(() => setSilent(false));
    beforeEach(async () => {
        server = new ReleaseServer();
        base = await server.start();
        cache = new Cache(directory.path());
        process.env["POSTGRES_HA_K3S_URL"] = `${base}/`;
        process.env["POSTGRES_HA_ETCD_URL"] = base;
    });
    afterEach(async () => {
        for (const name of ["POSTGRES_HA_K3S_URL", "POSTGRES_HA_ETCD_URL"]) {
            if (saved[name] === undefined) delete process.env[name];
            else process.env[name] = saved[name];
        }
        await server.stop();
    });

    function publishK3s(binary: Buffer): void {
        const tag = `/${encodeURIComponent(versions.k3s)}`;
        const images = Buffer.from("images");
        server.publish(`${tag}/k3s`, binary);
        server.publish(`${tag}/k3s-airgap-images-amd64.tar.zst`, images);
        const sums = `${sha256(binary)}  k3s\n${sha256(images)}  k3s-airgap-images-amd64.tar.zst\n`;
        server.publish(`${tag}/sha256sum-amd64.txt`, sums);
    }

    it("downloads k3s and its images once, executable and verified", async () => {
        publishK3s(elf(62));
        const path = await obtainRelease(cache, "k3s", "amd64", quick);
        assert.deepEqual(readFileSync(join(path, "k3s")), elf(62));
        assert.equal(readFileSync(join(path, "k3s-airgap-images.tar.zst"), "utf8"), "images");
        assert.equal(statSync(join(path, "k3s")).mode & 0o111, 0o111);
        const requests = server.requests.length;
        assert.equal(await obtainRelease(cache, "k3s", "amd64", quick), path);
        assert.equal(server.requests.length, requests);
    });

    it("unpacks etcd and etcdctl from the release archive", async () => {
        const name = `etcd-${versions.etcd}-linux-arm64`;
        const top = join(directory.path(), name);
        mkdirSync(top);
        for (const file of ["etcd", "etcdctl"]) writeFileSync(join(top, file), elf(183));
        const archive = execFileSync("tar", ["-czf", "-", "-C", directory.path(), name]);
        server.publish(`/${versions.etcd}/${name}.tar.gz`, archive);
        server.publish(`/${versions.etcd}/SHA256SUMS`, `${sha256(archive)}  ${name}.tar.gz\n`);
        const path = await obtainRelease(cache, "etcd", "arm64", quick);
        assert.equal(binaryArchitecture(join(path, "etcdctl")), "arm64");
    });

    it("refuses a binary for another architecture and keeps nothing", async () => {
        publishK3s(elf(183));
        await assert.rejects(
            obtainRelease(cache, "k3s", "amd64", quick),
            /k3s from http.* is made for arm64; this machine needs amd64/,
        );
        assert.equal(cache.find(releaseKey("k3s", "amd64")), undefined);
    });

    it("refuses a file that is no executable at all", async () => {
        publishK3s(Buffer.from("<html>please log in</html>"));
        await assert.rejects(obtainRelease(cache, "k3s", "amd64", quick), /not an executable for Linux/);
    });

    it("keeps a finished file for the next run when a later one breaks off", async () => {
        publishK3s(elf(62));
        const tag = `/${encodeURIComponent(versions.k3s)}`;
        const images = `${tag}/k3s-airgap-images-amd64.tar.zst`;
        server.misbehave(images, (_request, response) => response.destroy());
        await assert.rejects(obtainRelease(cache, "k3s", "amd64", quick), UnreachableError);
        assert.equal(cache.find(releaseKey("k3s", "amd64")), undefined);
        server.behave(images);
        const path = await obtainRelease(cache, "k3s", "amd64", quick);
        assert.ok(existsSync(join(path, "k3s")));
        assert.equal(server.requests.filter((request) => request.path === `${tag}/k3s`).length, 1);
        assert.equal(readdirSync(join(cache.root, "downloads")).length, 0, "downloads are removed when they are used");
    });

    it("names the architectures that are served when this machine has another", () => {
        assert.equal(hostArchitecture("x64"), "amd64");
        assert.equal(hostArchitecture("arm64"), "arm64");
        assert.throws(() => hostArchitecture("riscv64"), /riscv64, is not supported: .* amd64 and arm64/);
    });

    describe("where a part comes from", () => {
        const options = () => ({
            cacheDirectory: cache.root,
            reachability: new Reachability(cache.root, 500),
            record: new OriginRecord(join(directory.path(), "state")),
        });
        const fail = () => Promise.reject(new Error("must not be used"));

        it("is the release where the site answers, even when it answers with an error", async () => {
            assert.equal(await decideOrigin("k3s", { ...options(), mode: "auto" }), "release");
        });

        it("is built here where the site cannot be reached, and that is remembered", async () => {
            await server.stop();
            assert.equal(await decideOrigin("k3s", { ...options(), mode: "auto" }), "offline");
            const memory = JSON.parse(readFileSync(join(cache.root, "reachability.json"), "utf8")) as object;
            assert.deepEqual(Object.keys(memory), [siteOf("k3s").address]);
            await server.start();
        });

        it("is built here without a question when POSTGRES_HA_OFFLINE=1", async () => {
            assert.equal(await decideOrigin("k3s", { ...options(), mode: officialMode("1") }), "offline");
            assert.deepEqual(server.requests, []);
        });

        it("is never built here for hosts of one's own, unless that is asked for", async () => {
            assert.deepEqual([modeOfParts(true, "auto"), modeOfParts(true, "never")], ["only", "never"]);
            assert.deepEqual([modeOfParts(false, "auto"), modeOfParts(false, "only")], ["auto", "only"]);
            // What another stack of this checkout was made with says nothing of this one.
            const state = join(directory.path(), "state");
            new OriginRecord(state, "dev").write("k3s", "offline");
            assert.deepEqual(new OriginRecord(state, "staging").read(), {});
        });

        it("falls back when the site breaks off in the middle, and says so once", async () => {
            const { origin, value } = await obtainFrom(
                "k3s",
                { ...options(), mode: "auto" },
                {
                    installed: fail,
                    release: () => Promise.reject(new UnreachableError("The site went away.")),
                    offline: () => Promise.resolve("built"),
                },
            );
            assert.deepEqual([origin, value], ["offline", "built"]);
            assert.equal(await decideOrigin("k3s", { ...options(), mode: "auto" }), "offline");
        });

        it("does not fall back when POSTGRES_HA_OFFLINE=0", async () => {
            const sources = {
                installed: fail,
                release: () => Promise.reject(new UnreachableError("The site went away.")),
                offline: fail,
            };
            await assert.rejects(
                obtainFrom("k3s", { ...options(), mode: officialMode("0") }, sources),
                /The site went away\.\nHosts of your own, and POSTGRES_HA_OFFLINE=0, get official releases only/,
            );
        });

        it("does not fall back on a wrong checksum", async () => {
            publishK3s(elf(62));
            server.publish(`/${encodeURIComponent(versions.k3s)}/k3s`, elf(62, "tampered"));
            const sources = {
                installed: fail,
                release: () => obtainRelease(cache, "k3s", "amd64", quick),
                offline: fail,
            };
            await assert.rejects(obtainFrom("k3s", { ...options(), mode: "auto" }, sources), /wrong checksum/);
        });

        it("stays what a running stack was made with when the network comes back", async () => {
            options().record.write("k3s", "offline");
            assert.equal(await decideOrigin("k3s", { ...options(), mode: "auto" }), "offline");
            assert.equal(await decideOrigin("k3s", { ...options(), mode: "only" }), "release");
        });

        it("refuses another value of POSTGRES_HA_OFFLINE", () => {
            assert.throws(() => officialMode("perhaps"), /POSTGRES_HA_OFFLINE is "perhaps"/);
        });

        it("does not take a stand-in put on PATH by make env for an installed release", () => {
            assert.equal(pathWithout("/c", "/c/parts/engine/bin:/usr/bin:/cc/bin"), "/usr/bin:/cc/bin");
        });
    });
});
