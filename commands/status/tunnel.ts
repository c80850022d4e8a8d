import type { Duplex } from "node:stream";
import type { MachineAccess } from "../../components/machines/machine";
import { SshConnection } from "../../components/machines/ssh";
import { withTimeout } from "../../components/progress";

const dialSeconds = 3;

/**
 * The way to addresses that exist only inside the cluster (a member's or an instance's own Service): a TCP stream
 * through the SSH connection of any machine that answers. Chosen over `kubectl exec`, which needs the Kubernetes
 * API, a shell in the pod and a process per question: this works while the API is down, with any machine gone,
 * and the answers are verified by the same certificates as inside the cluster.
 */
export class Tunnel {
    private readonly open = new Map<string, Promise<SshConnection>>();

    constructor(private readonly machines: MachineAccess[]) {}

    /** The connection to one machine, kept for the next question; a broken one is dialled again. */
    ssh(machine: MachineAccess): Promise<SshConnection> {
        const kept = this.open.get(machine.name);
        if (kept !== undefined) {
            return kept;
        }
        const dialled = SshConnection.open(machine, dialSeconds).then((ssh) => {
            const forget = () => {
                if (this.open.get(machine.name) === dialled) {
                    this.open.delete(machine.name);
                }
            };
            ssh["client"].on("close", forget);
            // An error without a listener would end the process; "close" follows.
            ssh["client"].on("error", () => undefined);
            return ssh;
        });
        dialled.catch(() => this.open.delete(machine.name));
        this.open.set(machine.name, dialled);
        return dialled;
    }

    /** A stream to an address inside the cluster, through the machine that is quickest to give one. */
    async connect(host: string, port: number, timeoutMs: number): Promise<Duplex> {
        let won: Duplex | undefined;
        const attempts = this.machines.map(async (machine) => {
            const channel = await forward(await this.ssh(machine), host, port);
            if (won !== undefined) {
                channel.destroy();
            }
            won ??= channel;
            return won;
        });
        try {
            return await withTimeout(Promise.any(attempts), timeoutMs, `${host}:${port} does not answer`);
        } catch (error) {
            // What still arrives belongs to nobody.
            for (const attempt of attempts) attempt.then((late) => late.destroy()).catch(() => undefined);
            throw error instanceof AggregateError ? new Error(`${host}:${port}: ${messages(error)}`) : error;
        }
    }

    close(): void {
        for (const ssh of this.open.values()) ssh.then((connection) => connection.close()).catch(() => undefined);
        this.open.clear();
    }
}

const messages = ({ errors }: AggregateError): string =>
    [...new Set(errors.map((error) => (error as Error).message))].join("; ");

function forward(ssh: SshConnection, host: string, port: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
        ssh["client"].forwardOut("127.0.0.1", 0, host, port, (error, channel) =>
            error ? reject(error) : resolve(channel.on("error", () => undefined)),
        );
    });
}
