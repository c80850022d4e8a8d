import type { SshConnection } from "../../components/machines/ssh";
import { undoLater } from "./undo-later";

/** A rule of iptables without its command: table, chain, and what is matched and done. */
export interface Rule {
    table: "raw" | "mangle" | "filter";
    chain: "PREROUTING" | "POSTROUTING" | "INPUT" | "OUTPUT";
    match: string;
    target: "DROP" | "REJECT --reject-with tcp-reset";
}

/** Marks the rules of drills, so that they are told from everybody else's. */
const mark = "-m comment --comment postgres-ha-drill";

/** Packets that get lost, on a machine or in the network of one pod on it. */
export class NetworkCut {
    private readonly prefix: string;

    /** `inNetworkOf`: a process whose network it is; without it the machine's own. */
    constructor(
        private readonly ssh: SshConnection,
        private readonly rules: Rule[],
        inNetworkOf?: number,
    ) {
        this.prefix = inNetworkOf === undefined ? "" : `nsenter --target ${inNetworkOf} --net `;
    }

    async apply(): Promise<void> {
        await this.ssh.run(`set -e; ${this.commands("-I").join("; ")}`);
        await undoLater(this.ssh, this.commands("-D").join("; "));
    }

    /** Rules of a pod that is gone went with its network. */
    async lift(): Promise<void> {
        await this.ssh.run(this.commands("-D").join("; "), { allowFailure: true });
    }

    private commands(command: "-I" | "-D"): string[] {
        return this.rules.map(
            ({ table, chain, match, target }) =>
                `${this.prefix}iptables -w 5 -t ${table} ${command} ${chain} ${match} ${mark} -j ${target}`,
        );
    }
}

/** Why packets cannot be dropped on a machine; undefined when they can. */
export async function cutObstacle(ssh: SshConnection): Promise<string | undefined> {
    const { exitCode, stderr } = await ssh.run("iptables -w 5 -t raw -S && iptables -w 5 -t mangle -S", {
        allowFailure: true,
    });
    const said = stderr.trim().split("\n")[0];
    return exitCode === 0 ? undefined : `iptables does not work on ${ssh.machine.name}: ${said}`;
}

/** The interface to another machine, and the address that drills themselves come from, which stays connected. */
export async function wayOut(ssh: SshConnection, other: string): Promise<{ device: string; drills: string }> {
    const { stdout } = await ssh.run(`ip -o route get ${other}; echo "$SSH_CONNECTION"`);
    const device = / dev (\S+)/.exec(stdout)?.[1];
    const drills = stdout.trim().split("\n").at(-1)?.split(" ")[0];
    if (device === undefined || drills === undefined) {
        throw new Error(`${ssh.machine.name} does not tell its way to ${other}: ${stdout}`);
    }
    return { device, drills };
}
