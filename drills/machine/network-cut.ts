import { randomUUID } from "node:crypto";
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
const marked = "postgres-ha-drill";

/** Packets that get lost, on a machine or in the network of one pod on it. */
export class NetworkCut {
    private readonly prefix: string;
    private readonly mark = `${marked}-${randomUUID()}`;
    /** Keeps the pod's network within reach when the process that led to it is gone. */
    private readonly pin?: { from: string; to: string };
    private callOff = (): Promise<void> => Promise.resolve();

    /** `inNetworkOf`: a process whose network it is; without it the machine's own. */
    constructor(
        private readonly ssh: SshConnection,
        private readonly rules: Rule[],
        inNetworkOf?: number,
    ) {
        if (inNetworkOf === undefined) {
            this.prefix = "";
            return;
        }
        this.pin = { from: `/proc/${inNetworkOf}/ns/net`, to: `/run/drill-network-${inNetworkOf}` };
        this.prefix = `nsenter --net=${this.pin.to} `;
    }

    async apply(): Promise<void> {
        const { pin } = this;
        const pinning = pin === undefined ? "" : `touch ${pin.to}; mount --bind ${pin.from} ${pin.to}; `;
        this.callOff = await undoLater(this.ssh, this.undoing);
        await this.ssh.run(`set -e; ${pinning}${this.commands("-I").join("; ")}`);
    }

    get ruleCount(): number {
        return this.rules.length;
    }

    /** Packets that each of its rules took; of one that is gone nothing. */
    async packets(): Promise<number[]> {
        const chains = new Set(this.rules.map(({ table, chain }) => `-t ${table} -L ${chain}`));
        const list = [...chains].map((chain) => `${this.prefix}iptables -w 5 ${chain} -v -x -n`).join("; ");
        const { stdout } = await this.ssh.run(list);
        const own = stdout.split("\n").filter((line) => line.includes(this.mark));
        return own.map((line) => Number(line.trim().split(/\s+/)[0]));
    }

    /** A cut that stays would break every round after it, so it is looked whether it is gone. */
    async lift(): Promise<void> {
        await this.ssh.run(this.undoing, { allowFailure: true });
        await this.callOff();
        const left = this.rules.map(({ table, chain }) => `${this.prefix}iptables -w 5 -t ${table} -S ${chain}`);
        const { pin } = this;
        const look = `if ${pin === undefined ? "true" : `test -e ${pin.to}`}; then ${left.join("; ")}; fi`;
        const { stdout } = await this.ssh.run(look, { allowFailure: true });
        if (stdout.includes(this.mark)) {
            throw new Error(`${this.ssh.machine.name}: the cut cannot be lifted: ${stdout}`);
        }
    }

    private get undoing(): string {
        const { pin } = this;
        const unpinning = pin === undefined ? "true" : `umount ${pin.to} && rm ${pin.to}`;
        return `${this.commands("-D").join(" && ")} && ${unpinning}`;
    }

    private commands(command: "-I" | "-D"): string[] {
        return this.rules.map(
            ({ table, chain, match, target }) =>
                `${this.prefix}iptables -w 5 -t ${table} ${command} ${chain} ${match} -m comment --comment ${this.mark} -j ${target}`,
        );
    }
}

/** Why cuts did nothing: none of them took a packet. */
export async function nothingLost(cuts: NetworkCut[]): Promise<string | undefined> {
    const packets = await Promise.all(cuts.map((cut) => cut.packets()));
    return packets.flat().some((count) => count > 0) ? undefined : "no packet was lost";
}

/** The same where each of them must have. */
export async function somewhereNothingLost(cuts: NetworkCut[]): Promise<string | undefined> {
    const reasons = await Promise.all(cuts.map((cut) => nothingLost([cut])));
    return reasons.some((reason) => reason !== undefined) ? "not everywhere was a packet lost" : undefined;
}

/** The same of a cut each of whose rules must have. */
export async function notBothLost(cut: NetworkCut): Promise<string | undefined> {
    const packets = await cut.packets();
    const isWhole = packets.length === cut.ruleCount && packets.every((count) => count > 0);
    return isWhole ? undefined : `packets were lost by its rules: ${packets.join(", ") || "none of them is there"}`;
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
