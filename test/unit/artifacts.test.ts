import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { artifact, artifactFile } from "../../components/artifacts";
import { versions } from "../../components/versions";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A fresh folder and environment for each test. */
function scratch(variable: string): () => string {
    let folder = "";
    let before: string | undefined;
    beforeEach(() => {
        folder = mkdtempSync(join(tmpdir(), "postgres-ha-test-"));
        before = process.env[variable];
        process.env[variable] = folder;
    });
    afterEach(() => {
        if (before === undefined) {
            delete process.env[variable];
        } else {
            process.env[variable] = before;
        }
        rmSync(folder, { recursive: true });
    });
    return () => folder;
}

describe("names of released files", () => {
    it("hold version and architecture", () => {
        assert.equal(artifactFile("k3s", "amd64"), `k3s-${versions.k3s}-amd64`);
        assert.equal(artifactFile("k3s-airgap-images", "arm64"), `k3s-airgap-images-${versions.k3s}-arm64.tar.zst`);
        assert.equal(artifactFile("etcd", "arm64"), `etcd-${versions.etcd}-arm64`);
        assert.equal(artifactFile("etcdctl", "amd64"), `etcdctl-${versions.etcd}-amd64`);
        assert.equal(artifactFile("versitygw", "arm64"), `versitygw-${versions.versitygw}-arm64`);
    });
});

describe("a released file from an air-gap folder", () => {
    const folder = scratch("POSTGRES_HA_ARTIFACTS");
    const file = artifactFile("k3s", "amd64");
    const put = (content: string, sums: string) => {
        writeFileSync(join(folder(), file), content);
        writeFileSync(join(folder(), "SHA256SUMS"), sums);
    };

    it("is used when it matches its line in SHA256SUMS", async () => {
        put("k3s", `${sha256("other")}  other\n${sha256("k3s")}  ${file}\n`);
        assert.deepEqual(await artifact("k3s", "amd64"), { path: join(folder(), file), sha256: sha256("k3s") });
    });

    it("is used when sha256sum marked it as binary", async () => {
        put("k3s", `${sha256("k3s")} *${file}\n`);
        assert.equal((await artifact("k3s", "amd64")).sha256, sha256("k3s"));
    });

    it("is refused when it does not match, with both sums and what to do", async () => {
        put("tampered", `${sha256("k3s")}  ${file}\n`);
        await assert.rejects(artifact("k3s", "amd64"), {
            message:
                `${join(folder(), file)}: sha256 is ${sha256("tampered")}, expected ${sha256("k3s")}; ` +
                "remove the file and run the update again",
        });
    });

    it("is refused when SHA256SUMS has no line for it, or only one that looks alike", async () => {
        put("k3s", `${sha256("k3s")}  ${file}.old\n${sha256("k3s")}  x${file}\n`);
        await assert.rejects(artifact("k3s", "amd64"), {
            message: `POSTGRES_HA_ARTIFACTS: ${join(folder(), "SHA256SUMS")} has no line for ${file}; put the file there`,
        });
    });

    it("is missed by name when its line is there and the file is not", async () => {
        writeFileSync(join(folder(), "SHA256SUMS"), `${sha256("k3s")}  ${file}\n`);
        await assert.rejects(
            artifact("k3s", "amd64"),
            new RegExp(`${file.replace(/[+.]/g, "\\$&")} is listed but missing; put the file there$`),
        );
    });

    it("is the one of the machine's architecture", async () => {
        put("k3s", `${sha256("k3s")}  ${file}\n`);
        await assert.rejects(artifact("k3s", "arm64"), /has no line for k3s-.*-arm64; put the file there$/);
    });
});

// The project's server is played by a replaced `fetch`: its addresses are checked, the network is not.
describe("a released file from the project's own release", () => {
    const cache = scratch("XDG_CACHE_HOME");
    const realFetch = globalThis.fetch;
    let answers: Record<string, string>;
    let asked: string[];
    const release = `https://github.com/k3s-io/k3s/releases/download/${versions.k3s.replace("+", "%2B")}`;
    const stored = () => join(cache(), "postgres-ha", "releases");

    beforeEach(() => {
        delete process.env["POSTGRES_HA_ARTIFACTS"];
        asked = [];
        globalThis.fetch = async (input) => {
            const url = input as string;
            asked.push(url);
            const text = answers[url];
            return text === undefined ? new Response("", { status: 404 }) : new Response(text);
        };
    });
    afterEach(() => (globalThis.fetch = realFetch));

    it("is downloaded once, and checked against the sums published beside it", async () => {
        answers = { [`${release}/k3s`]: "k3s", [`${release}/sha256sum-amd64.txt`]: `${sha256("k3s")}  k3s\n` };
        const first = await artifact("k3s", "amd64");
        assert.deepEqual(first, { path: join(stored(), `${versions.k3s}-amd64-k3s`), sha256: sha256("k3s") });
        assert.equal(readFileSync(first.path, "utf8"), "k3s");
        await artifact("k3s", "amd64");
        assert.equal(asked.filter((url) => url.endsWith("/k3s")).length, 1);
    });

    it("has another name for arm64", async () => {
        answers = {
            [`${release}/k3s-arm64`]: "arm",
            [`${release}/sha256sum-arm64.txt`]: `${sha256("arm")}  k3s-arm64\n`,
        };
        assert.equal((await artifact("k3s", "arm64")).sha256, sha256("arm"));
    });

    it("of versitygw is taken out of the archive that its project names after `uname`", async () => {
        const release = `https://github.com/versity/versitygw/releases/download/${versions.versitygw}`;
        const name = `versitygw_${versions.versitygw}_Linux_x86_64`;
        mkdirSync(join(cache(), name));
        writeFileSync(join(cache(), name, "versitygw"), "server");
        const archive = execFileSync("tar", ["-czf", "-", "-C", cache(), name]);
        const sum = createHash("sha256").update(archive).digest("hex");
        globalThis.fetch = (input) =>
            Promise.resolve(
                new Response(
                    input === `${release}/checksums.txt` ? `${sum}  ${name}.tar.gz\n` : new Uint8Array(archive),
                ),
            );
        const { path, sha256: found } = await artifact("versitygw", "amd64");
        assert.equal(readFileSync(path, "utf8"), "server");
        assert.equal(found, sha256("server"));
    });

    it("is refused when it does not match, and nothing of it is kept", async () => {
        answers = { [`${release}/k3s`]: "tampered", [`${release}/sha256sum-amd64.txt`]: `${sha256("k3s")}  k3s\n` };
        await assert.rejects(artifact("k3s", "amd64"), /sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}/);
        assert.deepEqual(readdirSync(stored()), []);
    });

    it("is refused when the project lists no sum for it", async () => {
        answers = { [`${release}/k3s`]: "k3s", [`${release}/sha256sum-amd64.txt`]: `${sha256("k3s")}  k3s-armhf\n` };
        await assert.rejects(artifact("k3s", "amd64"), /lists no sum for k3s; it is not released for amd64$/);
        assert.ok(!existsSync(stored()));
    });

    it("that cannot be reached leads to the air-gap folder", async () => {
        globalThis.fetch = () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ENOTFOUND") }));
        await assert.rejects(
            artifact("k3s", "amd64"),
            /cannot be reached \(Error: ENOTFOUND\); .* set POSTGRES_HA_ARTIFACTS to a folder/,
        );
    });

    it("that is not there says the address and the status", async () => {
        answers = {};
        await assert.rejects(artifact("k3s", "amd64"), { message: `${release}/sha256sum-amd64.txt: HTTP 404` });
    });
});
