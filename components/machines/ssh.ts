import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import { Client, type ClientCallback, type ClientChannel, type ExecOptions } from "ssh2";
import type { MachineAccess } from "./machine";

export interface RunOptions {
    /** Written to the command's standard input: contents never appear in argv. */
    stdin?: string | Buffer | Readable;
    /** Seconds until the command is given up. @default 120 */
    timeoutSeconds?: number;
    /** Return the result of a failing command instead of throwing. A connection that is cut is no result: it throws. */
    allowFailure?: boolean;
}

export interface RunResult {
    exitCode: number;
    stdout: string;
    stderr: string;
}

/** A command that failed on a machine: which, where, and the end of what it said. */
export class RemoteError extends Error {
    constructor(machine: MachineAccess, step: string, detail: string) {
        super(`${machine.name} (${machine.address}): ${step}: ${detail}`);
        this.name = "RemoteError";
    }
}

/** The machine is gone, as far as can be told: nothing answers, or another one does. */
export class Unreachable extends RemoteError {}

const lastLines = (text: string, count = 20): string => text.trimEnd().split("\n").slice(-count).join("\n");

const sshCommand = ({ address, ssh }: MachineAccess): string => `ssh -p ${ssh.port} ${ssh.user}@${address}`;

/** One connection to a machine, its host key checked. */
export class SshConnection {
    private constructor(
        readonly machine: MachineAccess,
        private readonly client: Client,
    ) {}

    /** Connects, trying again until `timeoutSeconds` passed (a machine may still be booting). @default 30 */
    static async open(machine: MachineAccess, timeoutSeconds = 30): Promise<SshConnection> {
        const end = Date.now() + timeoutSeconds * 1000;
        for (;;) {
            try {
                return new SshConnection(machine, await connect(machine, Math.max(1000, end - Date.now())));
            } catch (error) {
                if (error instanceof HostKeyMismatch || isRefusedLogin(error) || Date.now() >= end) {
                    const Failure = isRefusedLogin(error) ? RemoteError : Unreachable;
                    throw new Failure(machine, "SSH", describe(machine, error));
                }
                await new Promise((resolve) => setTimeout(resolve, 250));
            }
        }
    }

    async run(command: string, options: RunOptions = {}): Promise<RunResult> {
        const timeoutSeconds = options.timeoutSeconds ?? 120;
        const result = await this.execute(command, options.stdin, timeoutSeconds * 1000);
        if (result === undefined) {
            throw new RemoteError(this.machine, firstWords(command), `no end after ${timeoutSeconds} s`);
        }
        if (result.exitCode < 0) {
            throw new RemoteError(
                this.machine,
                firstWords(command),
                "the connection was cut before the command's end was known; when the machine is reachable again, run the update again: every step can be repeated",
            );
        }
        if (result.exitCode !== 0 && !options.allowFailure) {
            const said = lastLines(result.stderr || result.stdout) || "(no output)";
            throw new RemoteError(this.machine, firstWords(command), `exit code ${result.exitCode}\n${said}`);
        }
        return result;
    }

    /** The channel of a command, for who holds its streams; `opened` is called before anything of it can have arrived. */
    exec(command: string, options: ExecOptions, opened: ClientCallback): void {
        this.client.exec(asRoot(this.machine, command), options, opened);
    }

    private execute(command: string, stdin: RunOptions["stdin"], timeoutMs: number): Promise<RunResult | undefined> {
        return new Promise((resolve, reject) => {
            this.exec(command, {}, (error, channel) => {
                if (error) {
                    reject(error);
                } else {
                    // Here and not after an await: the exit status may be in the same packet as the answer.
                    collect(channel, stdin, timeoutMs).then(resolve, reject);
                }
            });
        });
    }

    /** Writes a small file atomically, with mode and parent directory; true when its content changed. */
    async writeFile(path: string, content: string | Buffer, mode = "0644"): Promise<boolean> {
        const script = [
            `set -e; umask 077; mkdir -p -m 0755 "$(dirname ${path})"; cat > ${path}.new; chmod ${mode} ${path}.new`,
            `if cmp -s ${path} ${path}.new; then rm ${path}.new; echo same; else mv ${path}.new ${path}; echo changed; fi`,
        ].join("; ");
        const { stdout } = await this.run(script, { stdin: content });
        return stdout.trim() === "changed";
    }

    /** Copies a local file, checks its sha256 on the machine, and puts it in place in one move. */
    async upload(localPath: string, remotePath: string, sha256: string, mode = "0755"): Promise<boolean> {
        const check = `echo '${sha256}  ${remotePath}' | sha256sum --check --status`;
        if ((await this.run(check, { allowFailure: true })).exitCode === 0) {
            return false;
        }
        const { size } = await stat(localPath);
        await this.run(`mkdir -p "$(dirname ${remotePath})" && cat > ${remotePath}.new`, {
            stdin: createReadStream(localPath, { highWaterMark: 1 << 20 }),
            timeoutSeconds: 120 + size / 1e6,
        });
        await this.run(
            `echo '${sha256}  ${remotePath}.new' | sha256sum --check --status && chmod ${mode} ${remotePath}.new && mv ${remotePath}.new ${remotePath}`,
        );
        return true;
    }

    close(): void {
        this.client.end();
    }
}

/**
 * Whoever logs in as another user becomes root for every command. With one PATH: on some distributions sudo's lacks /usr/local/bin;
 * SSH_CONNECTION tells where a command comes from.
 */
function asRoot({ ssh: { user } }: MachineAccess, command: string): string {
    const quoted = `'${command.replaceAll("'", String.raw`'\''`)}'`;
    return user === "root"
        ? command
        : `sudo -n -- env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSH_CONNECTION="$SSH_CONNECTION" bash -c ${quoted}`;
}

/** Runs `use` on a connection that is closed afterwards. */
export async function withSsh<Result>(
    machine: MachineAccess,
    use: (ssh: SshConnection) => Promise<Result>,
    timeoutSeconds?: number,
): Promise<Result> {
    const ssh = await SshConnection.open(machine, timeoutSeconds);
    try {
        return await use(ssh);
    } finally {
        ssh.close();
    }
}

/** Waits until a booting machine keeps a login: sshd answers before the boot ends and is restarted once in it. */
export async function waitForBoot(machine: MachineAccess, timeoutSeconds = 180): Promise<void> {
    const end = Date.now() + timeoutSeconds * 1000;
    for (;;) {
        const left = (end - Date.now()) / 1000;
        try {
            await withSsh(machine, (ssh) => ssh.run("true"), Math.max(1, left));
            return;
        } catch (error) {
            if (left <= 0) {
                throw error;
            }
            await new Promise((resolve) => setTimeout(resolve, 250));
        }
    }
}

class HostKeyMismatch extends Error {}

function connect(machine: MachineAccess, timeoutMs: number): Promise<Client> {
    const { user, port, privateKey, hostKey } = machine.ssh;
    const pinned = hostKey.trim().split(/\s+/)[1] ?? "";
    const type = hostKey.trim().split(/\s+/)[0] ?? "ssh-ed25519";
    return new Promise((resolve, reject) => {
        const client = new Client();
        let offered = "";
        client.once("ready", () => resolve(client));
        // Every time: a second error without a listener would end the provider's process.
        client.on("error", (error) => {
            client.end();
            reject(offered && offered !== pinned ? new HostKeyMismatch(offered) : error);
        });
        client.connect({
            host: machine.address,
            port,
            username: user,
            privateKey,
            // One attempt: a handshake that hangs is begun anew instead of using up all the time there is.
            readyTimeout: Math.min(timeoutMs, 10_000),
            keepaliveInterval: 5000,
            keepaliveCountMax: 6,
            algorithms: {
                // An RSA key signs with SHA-2; hosts of today refuse the SHA-1 that its name stands for.
                serverHostKey: type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type as "ssh-ed25519"],
                // AES-GCM runs in OpenSSL, several times the speed of the default on image archives.
                cipher: { prepend: ["aes128-gcm@openssh.com"], append: [], remove: [] },
            },
            hostVerifier: (key: Buffer) => {
                offered = key.toString("base64");
                return offered === pinned;
            },
        });
    });
}

const isRefusedLogin = (error: unknown): boolean => (error as { level?: string }).level === "client-authentication";

function describe(machine: MachineAccess, error: unknown): string {
    if (error instanceof HostKeyMismatch) {
        return (
            `wrong host key: it offers ${error.message}, the configuration pins another. ` +
            `Check with \`ssh-keyscan -p ${machine.ssh.port} ${machine.address}\` and correct hostKey only if you trust the answer`
        );
    }
    const message = error instanceof Error ? error.message : String(error);
    if (isRefusedLogin(error)) {
        return `login refused for user ${machine.ssh.user}; check the key with \`${sshCommand(machine)}\``;
    }
    return `not reachable (${message}); check with \`${sshCommand(machine)}\``;
}

function collect(
    channel: ClientChannel,
    stdin: RunOptions["stdin"],
    timeoutMs: number,
): Promise<RunResult | undefined> {
    return new Promise((resolve, reject) => {
        const stdout: Buffer[] = [];
        const stderr: Buffer[] = [];
        let exitCode = -1;
        const timer = setTimeout(() => {
            resolve(undefined);
            channel.destroy();
        }, timeoutMs);
        channel.on("data", (chunk: Buffer) => stdout.push(chunk));
        channel.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
        // A command ended by a signal has no code of its own: the shell's convention gives it one.
        channel.on("exit", (code: number | null, signal?: NodeJS.Signals) => {
            exitCode = code ?? 128 + (signal ? (constants.signals[signal] ?? 0) : 0);
        });
        channel.on("close", () => {
            clearTimeout(timer);
            resolve({
                exitCode,
                stdout: Buffer.concat(stdout).toString(),
                stderr: Buffer.concat(stderr).toString(),
            });
        });
        channel.on("error", reject);
        if (stdin === undefined) {
            channel.end();
        } else if (typeof stdin === "string" || Buffer.isBuffer(stdin)) {
            channel.end(stdin);
        } else {
            stdin.on("error", reject);
            stdin.pipe(channel);
        }
    });
}

const firstWords = (command: string): string => {
    const line = command.replace(/\s+/g, " ");
    return line.length > 100 ? `${line.slice(0, 97)}...` : line;
};
