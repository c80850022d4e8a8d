import { configFile, nodeMarker } from "../../k3s/installation";
import { ports } from "../../naming";
import { inputDiff, type StepProvider } from "../../step";
import { isSameButForKey, type MachineAccess } from "../machine";
import { RemoteError, Unreachable, withSsh, type SshConnection } from "../ssh";

export interface HostInputs {
    access: MachineAccess;
}

export interface HostOutputs extends HostInputs {
    /** The host's machine-id: another one means a reinstalled host whose earlier data is gone. */
    instance: string;
}

/** A host that somebody else made: nothing is created, its SSH access and fitness are checked. */
export const provider: StepProvider<HostInputs, HostOutputs> = {
    async create(inputs) {
        const instance = await withSsh(inputs.access, inspectNew);
        return { id: inputs.access.name, outs: { ...inputs, instance } };
    },
    async read(_id, host) {
        try {
            return { ...host, instance: await withSsh(host.access, inspect) };
        } catch (error) {
            // Silence is no proof that a host is gone: its data may be all there.
            console.log(`${host.access.name}: not checked: ${(error as Error).message}`);
            return host;
        }
    },
    diff: (_id, olds, news) => Promise.resolve(inputDiff(olds, news)),
    async update(_id, olds, news) {
        if (!isSameButForKey(olds.access, news.access)) {
            // Another address may lead to the same host, or to one that nobody has looked at.
            const look = async (ssh: SshConnection) =>
                (await inspect(ssh)) === olds.instance ? olds.instance : inspectNew(ssh);
            return { ...news, instance: await withSsh(news.access, look) };
        }
        const found = withSsh(news.access, inspect, 5);
        // Another operator's key says nothing of the host: one that is off is none the less the same.
        return found.then(
            (instance) => ({ ...news, instance }),
            (error: unknown) => {
                if (!(error instanceof Unreachable)) throw error;
                console.log(`${news.access.name}: not checked: ${error.message}`);
                return { ...news, instance: olds.instance };
            },
        );
    },
};

async function inspectNew(ssh: SshConnection): Promise<string> {
    const found = await inspect(ssh);
    await refuseOccupied(ssh);
    await refuseCutOff(ssh);
    return found;
}

async function inspect(ssh: SshConnection): Promise<string> {
    const { stdout, stderr } = await ssh.run("id -u; cat /etc/machine-id; ps -p 1 -o comm=", { allowFailure: true });
    const [id, machineId, init] = stdout.split("\n");
    if (id !== "0") {
        const { user } = ssh.machine.ssh;
        throw new RemoteError(
            ssh.machine,
            "check",
            `user ${user} cannot become root (${stderr.trim()}), as whom k3s is installed: allow it sudo without a password ` +
                `(\`${user} ALL=(ALL) NOPASSWD: ALL\` in /etc/sudoers.d/${user}), or log in as root`,
        );
    }
    if (init?.trim() !== "systemd") {
        throw new RemoteError(ssh.machine, "check", `its first process is ${init?.trim()}, systemd is needed`);
    }
    return (machineId ?? "").trim();
}

const needed = new Map<number, string>([
    [ports.readWrite, "read-write entry"],
    [ports.readOnly, "read-only entry"],
    [ports.kubernetes, "Kubernetes API"],
    [ports.kubelet, "kubelet"],
]);

/**
 * Refuses a host with somebody else's Kubernetes, which would be overwritten, or with a server on a port of ours: a
 * PostgreSQL on 5432 would silently lose its clients to the entry, whose packets are taken before they reach a socket.
 */
async function refuseOccupied(ssh: SshConnection): Promise<void> {
    const facts = await ssh.run(
        `test ! -e ${nodeMarker} || echo ours
        ls -d ${configFile} /etc/systemd/system/k3s*.service /var/lib/rancher/k3s/server/db /var/lib/rancher/rke2 /etc/kubernetes/kubelet.conf 2>/dev/null
        cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true`,
    );
    const lines = facts.stdout.split("\n");
    if (lines.includes("ours")) {
        return;
    }
    const foreign = lines.filter((line) => line.startsWith("/"));
    if (foreign.length > 0) {
        const what = `another Kubernetes is installed here (${foreign.join(", ")}), and nothing of it was touched`;
        throw new RemoteError(
            ssh.machine,
            "check",
            `${what}. Take another host, or remove it first (k3s-uninstall.sh, k3s-agent-uninstall.sh)`,
        );
    }
    const busy = [...listeningPorts(lines)].flatMap((port) => {
        const purpose = needed.get(port);
        return purpose === undefined ? [] : [`${port} (${purpose})`];
    });
    if (busy.length > 0) {
        throw new RemoteError(
            ssh.machine,
            "check",
            `something listens on port ${busy.join(", ")}; the stack needs it. \`ss -ltnp\` on the host names it: stop it there, or take another host`,
        );
    }
}

/**
 * Refuses a host on which nodes and pods could not reach one another: nothing would fail, everything would only wait.
 * A firewall is asked whether it lets any network through at all, not which.
 */
async function refuseCutOff(ssh: SshConnection): Promise<void> {
    const { address, privateAddress } = ssh.machine;
    const { stdout } = await ssh.run(
        `command -v ip >/dev/null && [ -z "$(ip -o -4 addr show to ${privateAddress}/32)" ] && echo foreign-address
        systemctl is-active --quiet firewalld 2>/dev/null && [ -z "$(firewall-cmd --zone=trusted --list-sources 2>/dev/null)" ] && echo firewalld
        ufw status 2>/dev/null | awk '/^Status: active/ { active = 1 } /ALLOW.*\\// { allowed = 1 } END { if (active && !allowed) print "ufw" }'
        true`,
    );
    const found = stdout.trim().split("\n");
    if (found.includes("foreign-address")) {
        const what = privateAddress === address ? "address" : "privateAddress";
        throw new RemoteError(
            ssh.machine,
            "check",
            `no interface has its ${what} ${privateAddress}, by which the other nodes would look for it. Give as ` +
                "privateAddress what `ip -4 addr` on the host shows",
        );
    }
    const trusted = {
        firewalld: "`firewall-cmd --permanent --zone=trusted --add-source=<block>` for each, then --reload",
        ufw: "`ufw allow from <block>` for each",
    };
    for (const [firewall, allow] of Object.entries(trusted)) {
        if (found.includes(firewall)) {
            throw new RemoteError(
                ssh.machine,
                "check",
                `${firewall} is active and lets no network through, pods and the other machines included. Stop it for good ` +
                    `(\`systemctl disable --now ${firewall}\`), or let kubernetes.podCidr, kubernetes.serviceCidr and the ` +
                    `machines' network through: ${allow}`,
            );
        }
    }
}

/** Local ports in state LISTEN (0A) of lines as in /proc/net/tcp, lowest first. */
export function listeningPorts(lines: string[]): Set<number> {
    const found = lines.flatMap((line) => {
        const port = /^\s*\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} 0A /.exec(line)?.[1];
        return port === undefined ? [] : [parseInt(port, 16)];
    });
    return new Set(found.sort((one, other) => one - other));
}
