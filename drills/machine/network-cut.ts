import { randomUUID } from "node:crypto";
import type { Shell } from "./shell";
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

/** A host need not have the tool: k3s brings its own. Whoever else changes rules just now is waited for. */
const iptables = "iptables -w 30";
const withTools = "for folder in /var/lib/rancher/k3s/data/*/bin; do PATH=$PATH:$folder:$folder/aux; done; ";

/** Packets that get lost, on a machine or in the network of one pod on it. */
export class NetworkCut {
    private readonly prefix: string;
    private readonly id = randomUUID();
    private readonly mark = `${marked}-${this.id}`;
    /** Keeps the pod's network within reach when the process that led to it is gone. */
    private readonly pin?: { from: string; to: string };
    private callOff = (): Promise<void> => Promise.resolve();

    /** `inNetworkOf`: a process whose network it is; without it the machine's own. */
    constructor(
        private readonly ssh: Shell,
        private readonly rules: Rule[],
        inNetworkOf?: number,
    ) {
        if (inNetworkOf === undefined) {
            this.prefix = "";
            return;
        }
        this.pin = { from: `/proc/${inNetworkOf}/ns/net`, to: `/run/drill-network-${this.id}` };
        this.prefix = `nsenter --net=${this.pin.to} `;
    }

    async apply(): Promise<void> {
        const { pin } = this;
        const pinning = pin === undefined ? "" : `touch ${pin.to}; mount --bind ${pin.from} ${pin.to}; `;
        this.callOff = await undoLater(this.ssh, this.undoing);
        const insert = this.rules.map(
            ({ table, chain, match, target }) =>
                `${this.prefix}${iptables} -t ${table} -I ${chain} ${match} -m comment --comment ${this.mark} -j ${target}`,
        );
        await this.ssh.run(`set -e; ${withTools}${pinning}${insert.join("; ")}`);
    }

    get ruleCount(): number {
        return this.rules.length;
    }

    /** Packets that each of its rules took; of one that is gone nothing. */
    async packets(): Promise<number[]> {
        const list = this.chains.map(
            ({ table, chain }) => `${this.prefix}${iptables} -t ${table} -L ${chain} -v -x -n`,
        );
        const { stdout } = await this.ssh.run(withTools + list.join("; "));
        const own = stdout.split("\n").filter((line) => line.includes(this.mark));
        return own.map((line) => Number(line.trim().split(/\s+/)[0]));
    }

    /** A cut that stays would break every round after it, so it is looked whether it is gone. */
    async lift(): Promise<void> {
        await this.ssh.run(this.undoing, { allowFailure: true });
        const { stdout } = await this.ssh.run(`${withTools}if ${this.isThere}; then ${this.list}; fi`);
        if (stdout.includes(this.mark)) {
            throw new Error(`${this.ssh.machine.name}: the cut cannot be lifted: ${stdout}`);
        }
        await this.callOff();
    }

    private get chains(): Pick<Rule, "table" | "chain">[] {
        return [...new Map(this.rules.map(({ table, chain }) => [`${table} ${chain}`, { table, chain }])).values()];
    }

    private get isThere(): string {
        return this.pin === undefined ? "true" : `grep -q " ${this.pin.to} " /proc/self/mountinfo`;
    }

    private get list(): string {
        return this.chains.map(({ table, chain }) => `${this.prefix}${iptables} -t ${table} -S ${chain}`).join(" && ");
    }

    /** By its mark and not by what it matches: a name would be looked up again. */
    private get undoing(): string {
        const remove = this.chains.map(
            ({ table, chain }) =>
                `${this.prefix}${iptables} -t ${table} -S ${chain} | grep -e ${this.mark} | sed "s/^-A/-D/" | ` +
                `xargs -r -L 1 ${this.prefix}${iptables} -t ${table}`,
        );
        const unpin = this.pin === undefined ? "true" : `umount ${this.pin.to} && rm ${this.pin.to}`;
        return `${withTools}if ${this.isThere}; then ${remove.join("; ")}; left=$(${this.list}) && ! echo "$left" | grep -q -e ${this.mark} && ${unpin}; fi`;
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

/** Why packets cannot be dropped on one of these machines; undefined when they can on all. */
export async function cutObstacle(machines: Shell[]): Promise<string | undefined> {
    const reasons = machines.map(async (ssh) => {
        const { exitCode, stderr } = await ssh.run(
            `${withTools}${iptables} -t raw -S && ${iptables} -t mangle -S && ${iptables} -S`,
            { allowFailure: true },
        );
        const said = stderr.trim().split("\n")[0];
        return exitCode === 0 ? undefined : `iptables does not work on ${ssh.machine.name}: ${said}`;
    });
    return (await Promise.all(reasons)).find((reason) => reason !== undefined);
}

/** The interface to another machine. */
export async function wayOut(ssh: Shell, other: string): Promise<string> {
    const { stdout } = await ssh.run(`ip -o route get ${other}`);
    const device = / dev (\S+)/.exec(stdout)?.[1];
    if (device === undefined) {
        throw new Error(`${ssh.machine.name} does not tell its way to ${other}: ${stdout}`);
    }
    return device;
}
