import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { utils } from "ssh2";
import { generateKeyPair, provider as keyPairStep } from "../../../components/machines/key-pair.step";
import type { MachineAccess } from "../../../components/machines/machine";
import { RemoteError, SshConnection, withSsh } from "../../../components/machines/ssh";
import { TestMachine } from "./ssh-server";

const refusal = async (access: MachineAccess, timeoutSeconds?: number): Promise<RemoteError> => {
    const error: unknown = await SshConnection.open(access, timeoutSeconds).then(
        (connection) => connection.close(),
        (reason: unknown) => reason,
    );
    assert.ok(error instanceof RemoteError, `expected a refusal, got ${String(error)}`);
    return error;
};

describe("a connection to a machine", () => {
    const machine = new TestMachine();
    before(() => machine.start());
    after(() => machine.stop());

    it("is made with the right key to the right host", async () => {
        assert.equal(await withSsh(machine.access(), async (ssh) => (await ssh.run("echo hello")).stdout), "hello\n");
    });

    it("is refused to a host with another key, at once, with the command to check it", async () => {
        const other = generateKeyPair("other").public;
        const access = machine.access({ hostKey: other });
        const begin = Date.now();
        const { message } = await refusal(access, 8);
        assert.ok(Date.now() - begin < 4000, "a wrong key does not become right by waiting");
        const offered = machine.hostKey.public.split(" ")[1];
        assert.equal(
            message,
            `machine-1 (127.0.0.1): SSH: wrong host key: it offers ${offered}, the configuration pins another. ` +
                `Check with \`ssh-keyscan -p ${access.ssh.port} 127.0.0.1\` and correct hostKey only if you trust the answer`,
        );
    });

    it("accepts a pinned key with its comment, as ssh-keyscan and key files have it", async () => {
        const hostKey = `${machine.hostKey.public.trim()} root@machine-1\n`;
        await withSsh(machine.access({ hostKey }), (ssh) => ssh.run("true"));
    });

    it("is refused with another login key, at once, naming the user and the command to check it", async () => {
        const begin = Date.now();
        const access = machine.access({ privateKey: generateKeyPair("other").private });
        const { message } = await refusal(access, 8);
        assert.ok(Date.now() - begin < 4000, "a wrong key does not become right by waiting");
        assert.equal(
            message,
            `machine-1 (127.0.0.1): SSH: login refused for user root; check the key with \`ssh -p ${access.ssh.port} root@127.0.0.1\``,
        );
    });

    it("that finds nobody listening says so within its time, with the command to check it", async () => {
        const closed = createServer();
        await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
        const { port } = closed.address() as AddressInfo;
        await new Promise((resolve) => closed.close(resolve));
        const begin = Date.now();
        const { message } = await refusal(machine.access({ port }), 0.6);
        assert.match(
            message,
            /^machine-1 \(127\.0\.0\.1\): SSH: not reachable \(.*ECONNREFUSED.*\); check with `ssh -p \d+ root@127\.0\.0\.1`$/,
        );
        assert.ok(Date.now() - begin >= 600, "it tries again: the machine may be booting");
    });

    it("waits for a machine that is still booting", async () => {
        const late = new TestMachine();
        await late.start();
        const access = late.access();
        late.stop();
        const opening = withSsh(access, (ssh) => ssh.run("true"), 8);
        await new Promise((resolve) => setTimeout(resolve, 500));
        await late.start(access.ssh.port);
        assert.equal((await opening).exitCode, 0);
        late.stop();
    });

    it("never gets a key that it cannot read, as ssh2 makes one now and then", () => {
        const unreadable = Array.from({ length: 600 }, () => utils.parseKey(generateKeyPair("many").private)).filter(
            (parsed) => parsed instanceof Error,
        );
        assert.deepEqual(unreadable, []);
    });

    it("works with the key pairs the stack makes", async () => {
        const { outs } = await keyPairStep.create({ comment: "postgres-ha-dev" });
        assert.match(outs.publicKey, /^ssh-ed25519 [A-Za-z0-9+/=]+ postgres-ha-dev$/);
        const own = new TestMachine();
        Object.assign(own.login, { private: outs.privateKey, public: outs.publicKey });
        await own.start();
        await withSsh(own.access(), (ssh) => ssh.run("true"));
        own.stop();
    });

    it("is made to a host with an RSA key as OpenSSH signs with it today, without SHA-1", async () => {
        const rsa = new TestMachine("rsa", { serverHostKey: ["rsa-sha2-512", "rsa-sha2-256"] });
        await rsa.start();
        try {
            await withSsh(rsa.access(), (ssh) => ssh.run("true"), 2);
            assert.deepEqual(rsa.hostKeyAlgorithms, ["rsa-sha2-512"]);
        } finally {
            rsa.stop();
        }
    });
});

describe("a command on a machine", () => {
    const machine = new TestMachine();
    let ssh: SshConnection;
    before(async () => {
        await machine.start();
        ssh = await SshConnection.open(machine.access());
    });
    after(() => {
        ssh.close();
        machine.stop();
    });

    it("gives its exit code, output and errors apart", async () => {
        const result = await ssh.run("echo out; echo err >&2; exit 3", { allowFailure: true });
        assert.deepEqual(result, { exitCode: 3, stdout: "out\n", stderr: "err\n" });
    });

    it("reads texts, bytes and streams from its standard input, and none is the end of it", async () => {
        const bytes = randomBytes(3 << 20);
        const sum = createHash("sha256").update(bytes).digest("hex");
        const digest = async (stdin: string | Buffer | Readable) =>
            (await ssh.run("sha256sum", { stdin })).stdout.slice(0, 64);
        assert.equal(await digest(bytes), sum);
        assert.equal(await digest(Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)])), sum);
        assert.equal((await ssh.run("cat", { stdin: "secret" })).stdout, "secret");
        assert.equal((await ssh.run("cat")).stdout, "");
    });

    it("that fails throws the machine, the command, the exit code and the last 20 lines of its errors", async () => {
        const error: unknown = await ssh
            .run("for n in $(seq 30); do echo line $n >&2; done; exit 7")
            .catch((e: unknown) => e);
        assert.ok(error instanceof RemoteError);
        const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 11}`);
        assert.equal(
            error.message,
            "machine-1 (127.0.0.1): for n in $(seq 30); do echo line $n >&2; done; exit 7: exit code 7\n" +
                lines.join("\n"),
        );
    });

    it("that fails without errors shows its output, or says that there is none", async () => {
        await assert.rejects(ssh.run("echo only this; exit 1"), /exit code 1\nonly this$/);
        await assert.rejects(ssh.run("exit 1"), /exit code 1\n\(no output\)$/);
    });

    it("that a signal ends has failed, with the shell's exit code for it", async () => {
        assert.equal((await ssh.run("kill -KILL $$", { allowFailure: true })).exitCode, 137);
    });

    it("that is cut off has no result, also where failures are allowed", async () => {
        machine.cuts = /^test -e/;
        try {
            await assert.rejects(
                withSsh(machine.access(), (cut) => cut.run("test -e /etc", { allowFailure: true })),
                /^RemoteError: machine-1 \(127\.0\.0\.1\): test -e \/etc: the connection was cut[^]*can be repeated$/,
            );
        } finally {
            machine.cuts = undefined;
        }
    });

    it("that does not end is given up after its time", async () => {
        const begin = Date.now();
        await assert.rejects(
            ssh.run("sleep 30", { timeoutSeconds: 0.3 }),
            /^RemoteError: machine-1 \(127\.0\.0\.1\): sleep 30: no end after 0\.3 s$/,
        );
        assert.ok(Date.now() - begin < 5000);
        assert.equal((await ssh.run("echo still here")).stdout, "still here\n");
    });
});

describe("a file on a machine", () => {
    const machine = new TestMachine();
    let ssh: SshConnection;
    let folder: string;
    before(async () => {
        await machine.start();
        ssh = await SshConnection.open(machine.access());
        folder = mkdtempSync(join(tmpdir(), "postgres-ha-test-"));
    });
    after(() => {
        ssh.close();
        machine.stop();
        rmSync(folder, { recursive: true });
    });

    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

    it("is written with its folder and mode, and says whether it changed", async () => {
        const path = join(folder, "etc", "config.yaml");
        assert.equal(await ssh.writeFile(path, "token: SECRET\n", "0600"), true);
        assert.equal(readFileSync(path, "utf8"), "token: SECRET\n");
        assert.equal(mode(path), "600");
        assert.equal(await ssh.writeFile(path, "token: SECRET\n", "0600"), false);
        assert.equal(await ssh.writeFile(path, "token: OTHER\n", "0600"), true);
        assert.ok(!existsSync(`${path}.new`));
    });

    it("never has its content in a command", () => {
        assert.ok(machine.commands.length > 0 && machine.commands.every((command) => !command.includes("SECRET")));
    });

    it("is uploaded once, with its checksum checked on the machine", async () => {
        const [local, remote] = [join(folder, "binary"), join(folder, "bin", "k3s")];
        const bytes = randomBytes(2 << 20);
        writeFileSync(local, bytes);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        assert.equal(await ssh.upload(local, remote, sha256), true);
        assert.ok(readFileSync(remote).equals(bytes));
        assert.equal(mode(remote), "755");
        assert.equal(await ssh.upload(local, remote, sha256), false);
    });

    it("is not put in place when what arrived is not what was meant", async () => {
        const [local, remote] = [join(folder, "binary"), join(folder, "bin", "wrong")];
        await assert.rejects(ssh.upload(local, remote, "0".repeat(64)), RemoteError);
        assert.ok(!existsSync(remote));
    });
});
