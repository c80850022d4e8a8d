import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Server, utils, type Connection, type ServerConfig } from "ssh2";
import type { MachineAccess } from "../../../components/machines/machine";
import { generateKeyPair } from "../../../components/machines/key-pair.step";

/** A machine for tests: an SSH server in this process whose commands run in a real shell on this host. */
export class TestMachine {
    readonly login = generateKeyPair("login");
    readonly hostKey: { private: string; public: string };
    private readonly connections = new Set<Connection>();
    private readonly server: Server;
    /** Who may log in. */
    user = "root";
    /** Every command that arrived, as the client sent it. */
    readonly commands: string[] = [];
    /** What is run in place of a command, for tests that have no k3s on this host. */
    rewrite: (command: string) => string = (command) => command;
    /** Commands during which the connection is cut. */
    cuts: RegExp | undefined;
    /** How the host proved itself, connection by connection. */
    readonly hostKeyAlgorithms: string[] = [];

    constructor(hostKeyType: "ed25519" | "rsa" = "ed25519", algorithms?: ServerConfig["algorithms"]) {
        this.hostKey =
            hostKeyType === "rsa" ? utils.generateKeyPairSync("rsa", { bits: 2048 }) : generateKeyPair("host");
        this.server = new Server({ hostKeys: [this.hostKey.private], algorithms }, (client) => this.serve(client));
    }

    async start(port = 0): Promise<void> {
        this.server.listen(port, "127.0.0.1");
        await once(this.server as unknown as NodeJS.EventEmitter, "listening");
    }

    stop(): void {
        for (const connection of this.connections) {
            connection.end();
        }
        this.server.close();
    }

    access(change: Partial<MachineAccess["ssh"]> = {}): MachineAccess {
        const { port } = this.server.address() as AddressInfo;
        const ssh = { user: this.user, port, privateKey: this.login.private, hostKey: this.hostKey.public, ...change };
        return { name: "machine-1", address: "127.0.0.1", privateAddress: "127.0.0.1", ssh };
    }

    private serve(client: Connection): void {
        this.connections.add(client);
        client.on("close", () => this.connections.delete(client));
        // A client that refuses the host key hangs up in the middle of the handshake.
        client.on("error", () => undefined);
        client.on("handshake", ({ serverHostKey }) => this.hostKeyAlgorithms.push(serverHostKey));
        client.on("authentication", (attempt) => {
            const expected = utils.parseKey(this.login.public);
            if (expected instanceof Error || attempt.method !== "publickey" || attempt.username !== this.user) {
                return attempt.reject(["publickey"]);
            }
            const isKey = attempt.key.data.equals(expected.getPublicSSH());
            const { signature, blob, hashAlgo } = attempt;
            const isSigned = !signature || (blob && expected.verify(blob, signature, hashAlgo) === true);
            return isKey && isSigned ? attempt.accept() : attempt.reject(["publickey"]);
        });
        client.on("session", (accept) =>
            accept().on("exec", (acceptExec, _reject, { command }) => {
                this.commands.push(command);
                const channel = acceptExec();
                if (this.cuts?.test(command)) {
                    client.end();
                    return;
                }
                const shell = spawn("bash", ["-c", this.rewrite(command)]);
                channel.pipe(shell.stdin);
                shell.stdin.on("error", () => undefined);
                shell.stdout.pipe(channel, { end: false });
                shell.stderr.pipe(channel.stderr, { end: false });
                channel.on("close", () => shell.kill());
                shell.on("close", (code, signal) => {
                    if (signal) channel.exit(signal.slice("SIG".length));
                    else channel.exit(code ?? 1);
                    channel.end();
                });
            }),
        );
    }
}
