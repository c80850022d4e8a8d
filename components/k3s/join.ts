import { parse } from "yaml";
import type { MachineAccess } from "../machines/machine";
import { RemoteError, withSsh, type SshConnection } from "../machines/ssh";
import { ports } from "../naming";
import { step } from "../progress";
import { forgetNode, listNodes, podsOn, readyServer, waitForServer } from "./cluster-access";
import type { NodeRole } from "./config";
import { configFile, data, forgetPassword, isForgotten, nodeMarker, takeOff, unitName } from "./installation";

/** What decides how a node joins. */
export interface Joining {
    node: string;
    role: NodeRole;
    access: MachineAccess;
    /** config.yaml without the way to join; a secret, as it holds the token. */
    config: string;
    /** The other servers. */
    peers: MachineAccess[];
    /** Names of every machine of the cluster; looked at only when this one joins, as `disks` are. */
    roster: string[];
    /** The machines whose disks hold instances' data: all of them. */
    disks?: MachineAccess[];
}

/** Lines that make a node start a cluster or join one. */
export type Join = string;

const startCluster: Join = "cluster-init: true\n";
const joinThrough = ({ privateAddress }: MachineAccess): Join =>
    `server: https://${privateAddress}:${ports.kubernetes}\n`;

/**
 * k3s of another stack, or of this one with its state lost: its data is encrypted with a token that is not ours, and new
 * authorities in place of its own would break it.
 */
export async function refuseOtherStack(ssh: SshConnection, inputs: Joining): Promise<void> {
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
export async function decideJoin(ssh: SshConnection, inputs: Joining): Promise<Join> {
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
            await stopKubelet(ssh, inputs);
            await forgetPassword(server, inputs.node);
            return joinThrough(server);
        }
    }
    if (server) {
        await stopKubelet(ssh, inputs);
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
async function refuseForgottenData({ node, access, disks = [] }: Joining): Promise<void> {
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
            `no server holds the cluster any more, so ${node} would start a new one, and these disks ` +
                `hold data of a database, which may be newer than its backups: ${found.flat().join(", ")}. Bring a server's ` +
                `disk back; or copy the newest away, move each folder out of ${data}/storage, and run the update again ` +
                "(docs/runbooks/total-loss.md; where nothing of it is needed: make down)",
        );
    }
}

/** It registers when it starts, and never again. */
const stopKubelet = (ssh: SshConnection, node: Joining): Promise<unknown> =>
    ssh.run(`systemctl stop ${unitName(node)} 2>/dev/null || true`);

/** The host of an agent that has joined already: an interrupted update, or somebody has deleted its node. */
const hasJoined = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run("test -s /etc/rancher/node/password", { allowFailure: true })).exitCode === 0;

/** A server that is waited for, as some hold the data of a cluster; undefined when none does. */
async function livingCluster({ node, peers }: Joining): Promise<MachineAccess | undefined> {
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
export async function keptJoin(ssh: SshConnection, inputs: Joining): Promise<Join> {
    const kept = await currentJoin(ssh);
    return kept !== "" || (await holdsClusterData(ssh)) ? kept : decideJoin(ssh, inputs);
}

export const holdsVolumes = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run(`ls -A ${data}/storage 2>/dev/null || true`)).stdout.trim() !== "";

const holdsClusterData = async (ssh: SshConnection): Promise<boolean> =>
    (await ssh.run(`test -d ${data}/server/db`, { allowFailure: true })).exitCode === 0;

const currentJoin = (ssh: SshConnection): Promise<Join> => contentOf(ssh, nodeMarker);

/** Empty when there is no such file. */
const contentOf = async (ssh: SshConnection, path: string): Promise<string> =>
    (await ssh.run(`cat ${path} 2>/dev/null || true`)).stdout;
