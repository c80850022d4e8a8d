import type { MachineAccess } from "../machines/machine";
import { withSsh, type SshConnection } from "../machines/ssh";
import { deletePassword, listNodes, readyServer } from "./cluster-access";
import type { NodeRole } from "./config";

/** Where k3s keeps everything; volumes are below `storage`. */
export const data = "/var/lib/rancher/k3s";

export const configFile = "/etc/rancher/k3s/config.yaml";
/** How the node joins; also what tells a host of the stack from one with somebody else's k3s. Written first. */
export const nodeMarker = "/etc/rancher/k3s/config.yaml.d/10-join.yaml";

/** What identifies k3s on a machine. */
export interface Installation {
    node: string;
    role: NodeRole;
    access: MachineAccess;
    /** The other servers. */
    peers: MachineAccess[];
}

export const unitName = ({ role }: Pick<Installation, "role">): string =>
    role === "server" ? "k3s.service" : "k3s-agent.service";

export type Presence = { gone: false } | { gone: true; reason: string };

/**
 * Whether the node is still what was made: k3s installed on the machine and the node known to the cluster. What cannot be
 * asked counts as present: whether a silent machine is gone is for the machine's own resource to say.
 */
export async function lookAt(node: Installation): Promise<Presence> {
    const check = `test -x /usr/local/bin/k3s && systemctl is-enabled --quiet ${unitName(node)}`;
    const installed = await withSsh(node.access, (ssh) => ssh.run(check, { allowFailure: true }), 5).then(
        ({ exitCode }) => exitCode === 0,
        () => undefined,
    );
    if (installed === undefined) {
        return { gone: false };
    }
    if (!installed) {
        return { gone: true, reason: "k3s is not installed on it any more" };
    }
    const server = await readyServer([...node.peers, ...(node.role === "server" ? [node.access] : [])]);
    const nodes = server && (await withSsh(server, listNodes).catch(() => undefined));
    const unknown = nodes !== undefined && !nodes.some(({ name }) => name === node.node);
    return unknown ? { gone: true, reason: "the cluster does not know it any more" } : { gone: false };
}

/** Seconds a node needs at most to register after its service is up. */
const registrationSeconds = 30;

/**
 * Whether a machine that holds a cluster's data was removed from it, as by `kubectl delete node`: k3s runs, or fails
 * again and again, and its node does not appear. One that is still joining (an interrupted update) is not forgotten.
 */
export async function isForgotten(
    ssh: SshConnection,
    server: MachineAccess,
    node: Installation,
    withinSeconds = registrationSeconds,
): Promise<boolean> {
    const show = `systemctl show ${unitName(node)} --property=ActiveState --property=NRestarts`;
    for (const end = Date.now() + withinSeconds * 1000; ;) {
        const { stdout } = await ssh.run(show, { allowFailure: true });
        const runs = /ActiveState=active/.test(stdout);
        const restarts = Number(/NRestarts=(\d+)/.exec(stdout)?.[1] ?? 0);
        const nodes = await withSsh(server, listNodes);
        if ((!runs && restarts < 3) || nodes.some(({ name }) => name === node.node)) {
            return false;
        }
        if (Date.now() > end) {
            return true;
        }
        await new Promise((resolve) => setTimeout(resolve, 2000));
    }
}

/** Takes k3s off a machine; its volumes stay when the node comes back to the same cluster. */
export async function takeOff(
    ssh: SshConnection,
    node: Installation,
    what: "with volumes" | "keep volumes",
): Promise<void> {
    const remove =
        what === "with volumes"
            ? // A disk of its own for the volumes stays mounted, and is emptied.
              `find ${data} -mindepth 1 -delete 2>/dev/null
        [ -z "$(find ${data} -mindepth 1 ! -type d 2>/dev/null | head -n 1)" ] || { echo "files are left in ${data}" >&2; exit 1; }`
            : `find ${data} -mindepth 1 -maxdepth 1 ! -name storage -exec rm -rf {} +`;
    const script = `
        systemctl disable --now ${unitName(node)} || true
        # The bracket keeps the pattern from matching this very shell.
        shims=$(pgrep -f '${data}/data/.*/[c]ontainerd-shim' || true)
        # A container outlives its shim: a PostgreSQL would go on in a data directory that another instance begins with.
        containers=$(for shim in $shims; do pgrep -P $shim || true; done)
        [ -z "$containers$shims" ] || kill -9 $containers $shims 2>/dev/null || true
        for pid in $containers; do
            for try in $(seq 100); do [ -d /proc/$pid ] || break; sleep 0.1; done
            [ ! -d /proc/$pid ] || { echo "process $pid of a container does not end" >&2; exit 1; }
        done
        # What k3s has set for Services and pods; other rules stay as they are. A host may have no tool for it but k3s' own.
        for folder in ${data}/data/*/bin; do PATH=$PATH:$folder:$folder/aux; done
        for tool in iptables ip6tables; do
            ! command -v $tool-save >/dev/null || $tool-save | grep -iv 'KUBE-\\|CNI-\\|flannel' | $tool-restore || true
        done
        grep -o ' /\\(run/k3s\\|var/lib/kubelet\\|var/lib/rancher/k3s/agent\\)/[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l
        # What is still mounted would be emptied with the folder it is mounted on.
        ! grep -q ' /var/lib/kubelet/' /proc/self/mounts || { echo "volumes are still mounted" >&2; exit 1; }
        ${remove}
        rm -f /etc/systemd/system/${unitName(node)} ${configFile}
        rm -rf /run/k3s /etc/rancher/k3s /etc/rancher/node
        find /var/lib/kubelet -mindepth 1 -delete || true
        # The namespaces of pods, with the interfaces that lead into them.
        ip netns list 2>/dev/null | sed -n 's/^\\(cni-[^ ]*\\).*/\\1/p' | xargs -r -n 1 ip netns delete || true
        for name in cni0 flannel.1 flannel-wg; do ip link delete $name 2>/dev/null || true; done
        # Addresses of pods that are gone; other networks of the host keep theirs.
        rm -rf /run/flannel /var/lib/cni/flannel /var/lib/cni/networks/cbr0 /var/lib/cni/results/cbr0-* /var/lib/cni/results/cni-loopback-*
        rm -f /usr/local/bin/k3s /usr/local/bin/kubectl /usr/local/bin/crictl /usr/local/bin/ctr
        systemctl daemon-reload`;
    await ssh.run(script);
}

/** What keeps a machine that lost its own half of a shared password from joining under its name again. */
export const forgetPassword = (server: MachineAccess, node: string): Promise<unknown> =>
    withSsh(server, (ssh) => deletePassword(ssh, node));
