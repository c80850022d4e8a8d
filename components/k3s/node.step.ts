import { parse } from "yaml";
import { artifact } from "../artifacts";
import { machineArchitecture } from "../machines/architecture";
import { isSameButForKey } from "../machines/machine";
import { RemoteError, Unreachable, withSsh, type SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { changedInputs, inputDiff, type StepProvider } from "../step";
import { evacuate, forgetNode, readyServer } from "./cluster-access";
import { configFile, data, lookAt, nodeMarker, takeOff, unitName } from "./installation";
import { decideJoin, holdsVolumes, keptJoin, refuseOtherStack, type Join, type Joining } from "./join";

export interface K3sNodeInputs extends Joining {
    version: string;
    /** Identity of the machine: when it changes, what was installed is gone. */
    instance: string;
    kubelet: string;
    unit: string;
    /** Files below server/tls, by relative path; secrets. The same on every server. */
    authorities: Record<string, string>;
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
