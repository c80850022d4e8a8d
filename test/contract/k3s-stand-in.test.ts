import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { aptNetworkOptions, aptSources, pipConfiguration } from "../../offline/base-image";
import { compileStandIn, imageTags, withPayload } from "../../offline/k3s/build";
import { imageArchive } from "../../offline/k3s/images";
import { tar } from "../../offline/k3s/tar";

/**
 * What an installer may rely on from the command line, without a cluster. It does not prove that a node comes up: that
 * is the e2e tests' part. Behaviour of the parts inside has Go tests beside the code, run here as well.
 */
describe("k3s stand-in", function () {
    this.timeout(300_000);
    let directory = "";
    let k3s = "";

    before(function () {
        if (spawnSync("go", ["version"]).status !== 0) {
            console.log("      skipped: no Go toolchain on this machine, so the stand-in cannot be compiled");
            this.skip();
        }
        directory = mkdtempSync(join(tmpdir(), "k3s-stand-in-"));
        k3s = join(directory, "k3s");
        const arch = process.arch === "arm64" ? "arm64" : "amd64";
        compileStandIn(k3s, arch);
    });

    after(() => {
        if (directory !== "") rmSync(directory, { recursive: true, force: true });
    });

    function run(args: string[], environment: Record<string, string> = {}) {
        const result = spawnSync(k3s, args, {
            encoding: "utf8",
            env: { PATH: process.env["PATH"], K3S_CONFIG_FILE: join(directory, "none.yaml"), ...environment },
        });
        return { status: result.status, stdout: result.stdout, stderr: result.stderr };
    }

    function configuration(name: string, text: string): string {
        const file = join(directory, name);
        writeFileSync(file, text);
        return file;
    }

    it("prints its version in the form of the official release and says that it is a stand-in", () => {
        const { status, stdout } = run(["--version"]);
        assert.equal(status, 0);
        assert.match(stdout, /^k3s version v1\.35\.\d+\+standin\d+ \(.*stand-in.*\)\ngo version go1\./);
    });

    it("refuses a server without a token and names the option", () => {
        const { status, stderr } = run(["server", "--node-ip=127.0.0.1"]);
        assert.equal(status, 1);
        assert.match(stderr, /`token`: required/);
    });

    it("refuses an agent without a server to join", () => {
        const { status, stderr } = run(["agent", "--token=t", "--node-ip=127.0.0.1"]);
        assert.equal(status, 1);
        assert.match(stderr, /`server`: required for an agent/);
    });

    it("reports every wrong option of the config file at once", () => {
        const file = configuration(
            "wrong.yaml",
            "token: t\nnode-ip: here\nwrite-kubeconfig-mode: rw\nservice-cidr: everything\ndatastore-endpoint: mysql://x\n",
        );
        const { status, stderr } = run(["server", "--config", file]);
        assert.equal(status, 1);
        for (const option of ["node-ip", "write-kubeconfig-mode", "service-cidr", "datastore-endpoint"]) {
            assert.match(stderr, new RegExp(`\`${option}\``));
        }
    });

    it("reads the files of config.yaml.d after config.yaml", () => {
        const file = configuration("split.yaml", "node-ip: 127.0.0.1\nwrite-kubeconfig-mode: '0644'\n");
        mkdirSync(`${file}.d`);
        writeFileSync(join(`${file}.d`, "10.yaml"), "write-kubeconfig-mode: nonsense\n");
        const { stderr } = run(["server", "--config", file]);
        assert.match(stderr, /`write-kubeconfig-mode`: "nonsense"/);
    });

    it("never prints the token", () => {
        const { stdout, stderr } = run(["server", "--token=very-secret-token", "--node-ip=nowhere"]);
        assert.doesNotMatch(stdout + stderr, /very-secret-token/);
    });

    it("says what is not part of it instead of pretending", () => {
        for (const command of ["crictl", "etcd-snapshot", "secrets-encrypt"]) {
            const { status, stderr } = run([command]);
            assert.equal(status, 1);
            assert.match(stderr, /not part of the stand-in/);
        }
    });

    it("explains a file that was built or copied without its programs", () => {
        const { status, stderr } = run(["kubectl", "version"]);
        assert.equal(status, 1);
        assert.match(stderr, /no payload at the end of the file/);
    });

    it("passes its Go tests", () => {
        execFileSync("go", ["test", "./..."], {
            cwd: join(__dirname, "../../offline/k3s"),
            env: { ...process.env, CGO_ENABLED: "0" },
            stdio: "pipe",
        });
    });
});

describe("building the k3s stand-in", () => {
    it("ends the file with length, digest and magic of the payload", () => {
        const payload = Buffer.from("payload");
        const file = withPayload(Buffer.from("program"), payload);
        const trailer = file.subarray(-48);
        assert.equal(trailer.readBigUInt64BE(0), 7n);
        assert.deepEqual(trailer.subarray(8, 40), createHash("sha256").update(payload).digest());
        assert.equal(trailer.subarray(40).toString("ascii"), "K3SSTND1");
    });

    it("writes archives that tar reads, equal bytes for equal contents", () => {
        const entries = [
            { name: "bin", directory: true },
            { name: "bin/tool", data: Buffer.from("x".repeat(513)), mode: 0o755 },
            { name: "bin/alias", link: "tool" },
        ];
        assert.deepEqual(tar(entries), tar(entries));
        const listing = execFileSync("tar", ["-tvf", "-"], { input: tar(entries), encoding: "utf8" });
        assert.match(
            listing,
            /drwxr-xr-x .* bin\/\n-rwxr-xr-x .* 513 .* bin\/tool\nlrwxrwxrwx .* bin\/alias -> tool\n/,
        );
    });

    it("names a config, a layer and a tag for every image the stand-in looks for", () => {
        const source = `pauseTag = "1"\n etcdTag = "2"\n coreDNSTag = "3"\n localPathTag = "4"\n busyboxTag = "5"`;
        const program = Buffer.from("program");
        const archive = imageArchive(
            {
                pause: program,
                etcd: program,
                coredns: program,
                localPathProvisioner: program,
                busybox: program,
                applets: ["sh"],
            },
            imageTags(source, "v1"),
            "amd64",
        );
        const manifest = JSON.parse(
            execFileSync("tar", ["-xOf", "-", "manifest.json"], { input: archive, encoding: "utf8" }),
        ) as { Config: string; RepoTags: string[]; Layers: string[] }[];
        assert.deepEqual(
            manifest.flatMap((image) => image.RepoTags).sort(),
            [
                "busybox:5",
                "coredns:3",
                "etcd:2",
                "kube-apiserver:v1",
                "kube-controller-manager:v1",
                "kube-scheduler:v1",
                "local-path-provisioner:4",
                "pause:1",
            ].map((name) => `localhost/k3s-stand-in/${name}`),
        );
        const names = execFileSync("tar", ["-tf", "-"], { input: archive, encoding: "utf8" }).split("\n");
        for (const image of manifest) {
            for (const file of [image.Config, ...image.Layers]) assert.ok(names.includes(file), file);
        }
    });
});

describe("the base image's settings", () => {
    it("take from the host's apt what decides whether its network can be used", () => {
        const dump = [
            'APT::Architecture "amd64";',
            'Acquire::Check-Valid-Until "false";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::http::Timeout "";',
            'Acquire::Languages "none";',
        ].join("\n");
        assert.deepEqual(aptNetworkOptions(dump), [
            'Acquire::Check-Valid-Until "false";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
        ]);
    });

    it("move the host's Debian archives to the image's suite, and leave others out", () => {
        const targets =
            "Debian|Debian|http://mirror.example/debian/\nOther|Other|http://other.example/\nDebian|Debian-Security|http://mirror.example/security/\n";
        assert.deepEqual(aptSources(targets), [
            "deb http://mirror.example/debian trixie main",
            "deb http://mirror.example/debian trixie-updates main",
            "deb http://mirror.example/security trixie-security main",
        ]);
        assert.deepEqual(aptSources(""), []);
    });

    it("let pip trust the system's certificates unless the host's own file says otherwise", () => {
        assert.equal(pipConfiguration(undefined, undefined), "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n");
        assert.equal(pipConfiguration("[global]\ncert = /x\n", undefined), "[global]\ncert = /x\n");
        assert.match(
            pipConfiguration(undefined, "https://index.example/simple"),
            /index-url = https:\/\/index\.example\/simple/,
        );
    });
});
