import { parse } from "yaml";
import { artifact } from "../artifacts";
import { machineArchitecture } from "../machines/architecture";
import { isSameButForKey, type MachineAccess } from "../machines/machine";
import { RemoteError, Unreachable, withSsh, type SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { changedInputs, inputDiff, type StepProvider } from "../step";
import { ports } from "../naming";
import type { NodeRole } from "./config";
import { evacuate, forgetNode, listNodes, podsOn, readyServer, waitForServer } from "./cluster-access";
import { configFile, data, forgetPassword, isForgotten, lookAt, nodeMarker, takeOff, unitName } from "./installation";

export interface K3sNodeInputs {
    node: string;
    role: NodeRole;
    version: string;
    access: MachineAccess;
    /** Identity of the machine: when it changes, what was installed is gone. */
    instance: string;
    /** config.yaml without the way to join; a secret, as it holds the token. */
    config: string;
    kubelet: string;
    unit: string;
    /** Files below server/tls, by relative path; secrets. The same on every server. */
    authorities: Record<string, string>;
    /** The other servers. */
    peers: MachineAccess[];
    /** Names of every machine of the cluster; looked at only when this one joins, as `disks` are. */
    roster: string[];
    /** The machines whose disks hold instances' data: all of them. */
    disks?: MachineAccess[];
    /** A living node that cannot be drained is then not deleted: its disks may hold what no other has. */
    protectData?: boolean;
}

/** k3s on one machine: install, configure, service, start, and the way out of the cluster. */
export const provider: StepProvider<K3sNodeInputs> = {
    async create(inputs) {
        await withSsh(
            inputs.access,
            async (ssh) => {
                await refuseOtherStack(ssh, inputs);
                const join = await decideJoin(ssh, inputs);
                await apply(ssh, inputs, join);
                await waitUntilReady(ssh, inputs);
            },
            60,
        );
        return { id: inputs.node, outs: inputs };
    },
    async read(_id, node) {
        const presence = await lookAt(node);
        if (presence.gone) {
            console.log(`${node.node}: ${presence.reason}; the next update installs it again`);
        }
        return presence.gone ? undefined : node;
    },
    diff: (_id, olds, news) =>
        Promise.resolve(inputDiff(olds, { ...news, ...whenJoining(olds) }, ["node", "role", "instance"])),
    async update(_id, olds, news) {
        if (changesNothingOnHost(olds, news)) {
            return news;
        }
        await withSsh(news.access, async (ssh) => {
            await apply(ssh, news, await keptJoin(ssh, news));
            await waitUntilReady(ssh, news);
        });
        return news;
    },
    async delete(_id, node) {
        const server = await readyServer(node.peers);
        if (server) {
            await step(node.node, "leaving the cluster", async () => {
                await evacuate(server, node.node, node.protectData === true);
                await forgetNode(server, node.node);
            });
        }
        const remove = async (ssh: SshConnection): Promise<void> => {
            if (server === undefined && node.protectData === true) {
                await refuseBlindRemoval(ssh, node);
            }
            await takeOff(ssh, node, "with volumes");
        };
        await withSsh(node.access, remove, 5).catch((error: unknown) => {
            if (!(error instanceof Unreachable)) {
                throw error;
            }
            // One that is gone needs nothing.
            console.log(`${node.node}: k3s was not taken off: ${error.message}`);
        });
    },
};

/** Looked at only when a node joins. */
const whenJoining = ({ roster, disks }: K3sNodeInputs): Pick<K3sNodeInputs, "roster" | "disks"> => ({ roster, disks });

/**
 * What a deletion may do, whom to ask, and another operator's key: a machine that is off must not keep the update from the
 * others for that.
 */
function changesNothingOnHost(olds: K3sNodeInputs, news: K3sNodeInputs): boolean {
    const { protectData, peers } = news;
    const access = isSameButForKey(olds.access, news.access) ? news.access : olds.access;
    const changed = changedInputs({ ...olds, access, protectData, peers }, { ...news, ...whenJoining(olds) });
    return changed.length === 0;
}

/** Without an API nobody says whether another node has what is on these disks. */
async function refuseBlindRemoval(ssh: SshConnection, { node, access }: K3sNodeInputs): Promise<void> {
    if (await holdsVolumes(ssh)) {
        throw new RemoteError(
            access,
            "k3s",
            `${node} holds volumes, no other server's API answers, and protectData is on: its disks may hold what no other ` +
                "has, so nothing was removed. Bring a server back first (make status), then run the update again",
        );
    }
}

/** Lines that make a node start a cluster or join one. */
type Join = string;

const startCluster: Join = "cluster-init: true\n";
const joinThrough = ({ privateAddress }: MachineAccess): Join =>
    `server: https://${privateAddress}:${ports.kubernetes}\n`;

/**
 * k3s of another stack, or of this one with its state lost: its data is encrypted with a token that is not ours, and new
 * authorities in place of its own would break it.
 */
async function refuseOtherStack(ssh: SshConnection, inputs: K3sNodeInputs): Promise<void> {
    const token = (yaml: string): unknown => (parse(yaml) as { token?: string } | null)?.token;
    const theirs = token(await contentOf(ssh, configFile));
    if (theirs !== undefined && theirs !== token(inputs.config)) {
        throw new RemoteError(
            inputs.access,
            "k3s",
            "it is a node of another stack, or of this one before its state was lost; nothing of it was touched. Bring the " +
                "state back (pulumi stack import), or empty the host (destroy the other stack, or systemctl disable --now " +
                `k3s k3s-agent; rm -rf ${data} /etc/rancher), which deletes its part of the database`,
        );
    }
}

/**
 * A cluster is started only when every other server answers and none holds cluster data: a server that cannot be
 * asked might be the rest of a living cluster, and a second cluster beside it would be a split brain.
 */
async function decideJoin(ssh: SshConnection, inputs: K3sNodeInputs): Promise<Join> {
    if (await holdsClusterData(ssh)) {
        const kept = await currentJoin(ssh);
        if (kept !== "") {
            const server = await readyServer(inputs.peers);
            if (!server || !(await isForgotten(ssh, server, inputs))) {
                return kept;
            }
            await step(inputs.node, "starting anew as the cluster has forgotten it; its volumes stay", async () => {
                await takeOff(ssh, inputs, "keep volumes");
                await forgetPassword(server, inputs.node);
            });
            return joinThrough(server);
        }
    }
    const server = (await readyServer(inputs.peers)) ?? (await livingCluster(inputs));
    // Forgotten, it would lose the claims on its volumes, which may hold what no other has.
    if (server && inputs.role === "agent" && (await hasJoined(ssh))) {
        if ((await withSsh(server, listNodes)).some(({ name }) => name === inputs.node)) {
            return joinThrough(server);
        }
        if (await holdsVolumes(ssh)) {
            // A kubelet registers when it starts, and never again.
            await ssh.run(`systemctl stop ${unitName(inputs)} 2>/dev/null || true`);
            await forgetPassword(server, inputs.node);
            return joinThrough(server);
        }
    }
    if (server) {
        // A kubelet that an earlier attempt has started would not register again.
        await ssh.run(`systemctl stop ${unitName(inputs)} 2>/dev/null || true`);
        await forgetNode(server, inputs.node);
        await forgetLostStrangers(server, inputs.roster);
        return joinThrough(server);
    }
    if (inputs.role === "agent") {
        throw new RemoteError(inputs.access, "k3s", "no server answers that this agent could join");
    }
    await refuseForgottenData(inputs);
    return startCluster;
}

/** Beside the claims of a new cluster nobody would look at what lies on the disks of machines that outlived the old one. */
async function refuseForgottenData({ node, access, disks = [], protectData }: K3sNodeInputs): Promise<void> {
    if (protectData !== true) return;
    const look = `ls -d ${data}/storage/*/pgdata*/PG_VERSION 2>/dev/null || true`;
    const found = await Promise.all(
        disks.map(async (machine) => {
            const { stdout } = await withSsh(machine, (ssh) => ssh.run(look));
            const folders = stdout.split("\n").filter((line) => line !== "");
            return folders.map((file) => `${machine.name}:${file.slice(0, file.lastIndexOf("/"))}`);
        }),
    );
    if (found.flat().length > 0) {
        throw new RemoteError(
            access,
            "k3s",
            `no server holds the cluster any more, so ${node} would start a new one, and protectData is on: these disks ` +
                `hold data of a database, which may be newer than its backups: ${found.flat().join(", ")}. Bring a server's ` +
                `disk back; or copy the newest away, move each folder out of ${data}/storage, and run the update again ` +
                "(docs/runbooks/total-loss.md)",
        );
    }
}

/** The host of an agent that has joined already: an interrupted update, or somebody has deleted its node. */
const hasJoined = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run("test -s /etc/rancher/node/password", { allowFailure: true })).exitCode === 0;

/** A server that is waited for, as some hold the data of a cluster; undefined when none does. */
async function livingCluster({ node, peers }: K3sNodeInputs): Promise<MachineAccess | undefined> {
    for (const peer of peers) {
        const holdsData = await withSsh(peer, async (other) => {
            const found = await other.run(`test -d ${data}/server/db/etcd`, { allowFailure: true });
            return found.exitCode === 0;
        });
        if (holdsData) {
            return waitForServer(peers).catch((error: unknown) => {
                throw new RemoteError(
                    peer,
                    "k3s",
                    `it holds the data of a cluster but its API does not answer, so ${node} cannot join and must not ` +
                        "start a second cluster. Bring a majority of the servers back (journalctl -u k3s on them), then " +
                        `run the update again (${(error as Error).message})`,
                );
            });
        }
    }
    return undefined;
}

/**
 * Lost machines that were taken out of the configuration go before another joins: etcd admits nobody while one of its
 * members is unreachable. Those that live are retired later (roster.step.ts), when their successors run.
 */
async function forgetLostStrangers(server: MachineAccess, roster: string[]): Promise<void> {
    const lost = (await withSsh(server, listNodes)).filter(({ name, ready }) => !ready && !roster.includes(name));
    for (const { name, address } of lost) {
        const pods = await podsOn(server, name);
        // Without any, a retirement was broken off after its drain.
        if (pods.length > 0 && (await proxyAnswers(server, address))) {
            throw new RemoteError(
                server,
                "k3s",
                `${name} is not in the configuration any more and its k3s is silent, but its pods run (${pods.join(", ")}); ` +
                    "nothing was removed. Start k3s there so that it can be drained, or switch the machine off, and update " +
                    `again. If another host has its address ${address} now: kubectl delete node ${name}`,
            );
        }
        await step(name, "lost and no longer in the configuration: forgetting it", () => forgetNode(server, name));
    }
}

/**
 * Every node has a proxy, whose containers outlive its k3s; nothing is known of how to log in to a machine that was taken out.
 * Where a firewall keeps the servers from both ports it is taken for lost.
 */
async function proxyAnswers(server: MachineAccess, address: string): Promise<boolean> {
    const connect = (port: number) => `timeout 5 bash -c 'exec 3<>/dev/tcp/${address}/${port}'`;
    const anyPort = [ports.readWrite, ports.haproxyStats].map(connect).join(" || ");
    return address !== "" && (await withSsh(server, (ssh) => ssh.run(anyPort, { allowFailure: true }))).exitCode === 0;
}

/**
 * How an installed node joins. A reinstalled host has no such file, and k3s without it would start a cluster of its own:
 * there it is decided anew. Data of a cluster without the file belongs to a living member, which must not be forgotten.
 */
async function keptJoin(ssh: SshConnection, inputs: K3sNodeInputs): Promise<Join> {
    const kept = await currentJoin(ssh);
    return kept !== "" || (await holdsClusterData(ssh)) ? kept : decideJoin(ssh, inputs);
}

const holdsVolumes = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run(`ls -A ${data}/storage 2>/dev/null || true`)).stdout.trim() !== "";

const holdsClusterData = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run(`test -d ${data}/server/db`, { allowFailure: true })).exitCode === 0;

const currentJoin = (ssh: SshConnection): Promise<Join> => contentOf(ssh, nodeMarker);

/** Empty when there is no such file. */
const contentOf = async (ssh: SshConnection, path: string): Promise<string> =>
    (await ssh.run(`cat ${path} 2>/dev/null || true`)).stdout;

async function apply(ssh: SshConnection, inputs: K3sNodeInputs, join: Join): Promise<void> {
    const where = inputs.node;
    const architecture = await machineArchitecture(ssh);
    const binary = await artifact("k3s", architecture);
    const images = await artifact("k3s-airgap-images", architecture);
    // Until the service runs with all of it: what an update that was cut off has changed is no change to the next one.
    const wasCutOff = (await ssh.run(`test -e ${restartPending}`, { allowFailure: true })).exitCode === 0;
    await ssh.run(`mkdir -p -m 0755 /etc/rancher && touch ${restartPending}`);
    const changes = await step(where, `installing k3s ${inputs.version}`, async () => [
        await ssh.upload(binary.path, "/usr/local/bin/k3s", binary.sha256),
        await ssh.upload(images.path, `${data}/agent/images/k3s-airgap-images.tar.zst`, images.sha256, "0644"),
    ]);
    await ssh.run("for name in kubectl crictl ctr; do ln -sf k3s /usr/local/bin/$name; done");
    for (const [path, content] of Object.entries(inputs.role === "server" ? inputs.authorities : {})) {
        await ssh.writeFile(`${data}/server/tls/${path}`, content, "0600");
    }
    const unit = unitName(inputs);
    changes.push(
        await ssh.writeFile(nodeMarker, join, "0600"),
        await ssh.writeFile(interfaceFile, await podInterface(ssh, inputs), "0600"),
        await ssh.writeFile(configFile, inputs.config, "0600"),
        await ssh.writeFile(`${data}/agent/etc/kubelet.conf.d/50-postgres-ha.conf`, inputs.kubelet),
        await ssh.writeFile(`/etc/systemd/system/${unit}`, inputs.unit),
    );
    const active = await ssh.run(`systemctl is-active ${unit}`, { allowFailure: true });
    if (wasCutOff || changes.includes(true) || active.exitCode !== 0) {
        await step(where, `starting ${unit}`, () => start(ssh, inputs));
    }
    await ssh.run(`rm -f ${restartPending}`);
}

const restartPending = "/etc/rancher/postgres-ha-restart-pending";

const interfaceFile = "/etc/rancher/k3s/config.yaml.d/20-interface.yaml";

/** Packets between pods go where the nodes' own address is; k3s would take the interface with the default route. */
export async function podInterface(ssh: SshConnection, { access, config }: K3sNodeInputs): Promise<string> {
    const given = (parse(config) as Record<string, unknown> | null)?.["flannel-iface"];
    const { stdout } = await ssh.run(
        `echo "$(ip -o -4 addr show to ${access.privateAddress}/32 | awk '{ print $2 }' | head -n 1)"
        echo "$(ip -o -4 route show default | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)"`,
    );
    const [own = "", ofDefaultRoute] = stdout.split("\n");
    return given !== undefined || own === "" || own === ofDefaultRoute ? "" : `flannel-iface: ${own}\n`;
}

async function start(ssh: SshConnection, inputs: K3sNodeInputs): Promise<void> {
    const unit = unitName(inputs);
    await ssh.run(
        `systemctl daemon-reload && systemctl enable --quiet ${unit} && systemctl restart --no-block ${unit}`,
    );
    try {
        await waitFor(unit, 600, async () => {
            const { stdout } = await ssh.run(`systemctl show ${unit} --property=ActiveState,NRestarts --value`);
            const [state, restarts] = stdout.trim().split("\n").sort().reverse();
            if (Number(restarts) > 8) {
                throw new Error(`it ended ${restarts} times in a row`);
            }
            return state === "active" ? { done: true } : { waiting: `${state}, ${restarts} restarts` };
        });
    } catch (error) {
        const log = await ssh.run(`journalctl --unit ${unit} --no-pager --lines 20 --output cat`, {
            allowFailure: true,
        });
        throw new RemoteError(inputs.access, unit, `${(error as Error).message}\n${log.stdout}`);
    }
}

/** Ready as the API sees it; an agent is looked at from a server. */
async function waitUntilReady(ssh: SshConnection, inputs: K3sNodeInputs): Promise<void> {
    const query = `k3s kubectl get node ${inputs.node} -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}'`;
    await step(inputs.node, "waiting for the node to be ready", () =>
        waitFor(`node ${inputs.node}`, 600, async () => {
            const ask = (connection: SshConnection) =>
                connection.run(query, { allowFailure: true, timeoutSeconds: 20 });
            const server = inputs.role === "server" ? undefined : await readyServer(inputs.peers);
            const { stdout, stderr } = server ? await withSsh(server, ask) : await ask(ssh);
            return stdout === "True" ? { done: true } : { waiting: stdout || stderr.trim() || "not ready" };
        }),
    );
}
