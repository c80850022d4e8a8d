import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { artifact, type Artifact } from "../../components/artifacts";
import { makeAuthority, makeLeaf, type Pem } from "../../components/certificates/x509";
import { image } from "../../components/images/image";
import { paths, renderBucketRequest, renderEnvironment, renderUnit } from "../../components/object-store/config";
import type { KnownRepository } from "../../components/pgbackrest/repository-options";
import { explainProbe, renderProbe } from "../../components/pgbackrest/repository-probe";
import { findToolchain } from "../../offline/toolchain";

const docker = (args: string[], input?: string) => spawnSync("docker", args, { encoding: "utf8", input });

const credentials = { accessKeyId: "contractkey", secretAccessKey: "contractsecret" };

/**
 * The real server, configured as on its machine, and the real pgBackRest with the probe, in one container without a
 * network. It does not prove systemd and SSH: that is the e2e tests' part.
 */
describe("the object store and the probe of a repository", function () {
    this.timeout(120_000);
    const container = `postgres-ha-contract-store-${process.pid}`;
    const earlierFolder = process.env["POSTGRES_HA_ARTIFACTS"];
    let directory = "";
    let authority: Pem;

    before(async function () {
        const skip = (why: string): void => {
            console.log(`      skipped: ${why}`);
            this.skip();
        };
        const folder = earlierFolder ?? (await findToolchain({ objectStore: true }))?.artifacts;
        if (folder !== undefined) process.env["POSTGRES_HA_ARTIFACTS"] = folder;
        const { reference } = image("patroni");
        if (docker(["image", "inspect", reference]).status !== 0) {
            return skip(`the image ${reference} is not on this host; make up builds it`);
        }
        const architecture = process.arch === "arm64" ? "arm64" : "amd64";
        const binary = await artifact("versitygw", architecture).catch((error: Error) => error);
        if (binary instanceof Error) {
            return skip(binary.message);
        }
        await startStore(reference, binary);
    });

    after(() => {
        if (earlierFolder === undefined) delete process.env["POSTGRES_HA_ARTIFACTS"];
        docker(["rm", "--force", container]);
        if (directory !== "") rmSync(directory, { recursive: true });
    });

    async function startStore(reference: string, binary: Artifact): Promise<void> {
        directory = mkdtempSync(join(tmpdir(), "postgres-ha-contract-store-"));
        // The server runs as another user inside.
        chmodSync(directory, 0o755);
        authority = await makeAuthority({ commonName: "object store CA" }, 1);
        await certificate("good", ["127.0.0.1"]);
        await certificate("old", ["127.0.0.1"], -0.01);
        await certificate("other", ["192.0.2.1"]);
        writeFileSync(join(directory, "authority.pem"), authority.certificate);
        writeFileSync(join(directory, "environment"), renderEnvironment(credentials));
        const mounts = ["-v", `${directory}:/contract:ro`, "-v", `${binary.path}:${paths.binary}:ro`];
        const run = ["run", "--detach", "--name", container, "--network", "none", "--user", "0", ...mounts];
        const started = docker([...run, "--entrypoint", "sleep", reference, "600"]);
        assert.equal(started.status, 0, started.stderr);
        inside(`install -d /etc/object-store && install -d -o 999 -g 999 ${paths.buckets}
            cp /contract/authority.pem ${paths.authority}
            cp /contract/good.pem ${paths.certificate} && install -o 999 /contract/good.key ${paths.privateKey}`);
        serve("");
        serve("VGW_PORT=:9001 VGW_CERT=/contract/old.pem VGW_KEY=/contract/old.key");
        serve("VGW_PORT=:9002 VGW_CERT=/contract/other.pem VGW_KEY=/contract/other.key");
    }

    async function certificate(name: string, ipAddresses: string[], validityDays = 1): Promise<void> {
        const request = { commonName: "store", dnsNames: [], ipAddresses, usages: ["server" as const], validityDays };
        const pem = await makeLeaf(authority, request);
        writeFileSync(join(directory, `${name}.pem`), pem.certificate);
        writeFileSync(join(directory, `${name}.key`), pem.privateKey);
    }

    /** The unit's own command with its own environment, and what is said beside it. */
    function serve(changes: string): void {
        const lines = (key: string) =>
            [...renderUnit().matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value).join(" ");
        const command = `set -a; . /contract/environment; exec env ${lines("Environment")} ${changes} ${lines("ExecStart")}`;
        docker(["exec", "--detach", "--user", "999", container, "bash", "-c", command]);
    }

    function inside(script: string): string {
        const { status, stdout, stderr } = docker(["exec", "-i", container, "bash", "-e"], script);
        assert.equal(status, 0, stderr);
        return stdout;
    }

    const repository = (change: Partial<KnownRepository> = {}): KnownRepository => ({
        host: "127.0.0.1",
        port: 9000,
        bucket: "backups",
        region: "us-east-1",
        uriStyle: "path",
        caCertificate: authority.certificate,
        path: "/dev/postgres",
        credentials: { type: "key", ...credentials },
        ...change,
    });

    function probe(change: Partial<KnownRepository> = {}): string {
        const tried = repository(change);
        const script = renderProbe(tried, "contract");
        const { stdout } = docker(["exec", "-i", "--user", "999", container, "bash"], script);
        return stdout.trim() === "passed" ? "passed" : explainProbe(tried, stdout);
    }

    it("makes the bucket once and leaves it when asked again", () => {
        const request = renderBucketRequest("127.0.0.1", "backups", credentials);
        const ask = () =>
            docker(
                [
                    "exec",
                    "-i",
                    container,
                    "curl",
                    "--retry-all-errors",
                    "--retry",
                    "20",
                    "--retry-delay",
                    "1",
                    "--config",
                    "-",
                ],
                request,
            );
        assert.match(ask().stdout, /\n200$/);
        assert.match(ask().stdout, /BucketAlreadyOwnedByYou[^]*\n409$/);
    });

    it("passes with the right settings and leaves nothing behind", () => {
        assert.equal(probe(), "passed");
        assert.equal(inside(`find ${paths.buckets}/backups -type f`), "");
    });

    it("tells each mistake apart", () => {
        const key = (change: object): Partial<KnownRepository> => ({
            credentials: { type: "key", ...credentials, ...change },
        });
        assert.match(probe(key({ secretAccessKey: "wrong" })), /wrong credentials.*SignatureDoesNotMatch/);
        assert.match(probe(key({ accessKeyId: "wrong" })), /wrong credentials.*XAdminUserNotFound/);
        assert.match(probe({ bucket: "missing" }), /bucket missing: there is no such bucket; create it/);
        assert.match(probe({ region: "eu-north-7" }), /not in region eu-north-7/);
        assert.match(probe({ port: 9001 }), /certificate has expired/);
        assert.match(probe({ port: 9002 }), /certificate is not for 127\.0\.0\.1/);
        assert.match(probe({ caCertificate: undefined }), /certificate is not trusted/);
        assert.match(probe({ port: 9003 }), /not reachable/);
        assert.match(probe({ host: "store.invalid" }), /name store\.invalid is not known/);
    });

    it("says no secret in any of these messages", () => {
        const messages = [probe({ bucket: "missing" }), probe({ port: 9003 }), probe({ region: "eu-north-7" })];
        for (const message of messages) assert.ok(!message.includes(credentials.secretAccessKey), message);
    });
});
