import type { Shell } from "../machine/shell";
import { kubectl } from "../backup/pods";
import { beforeTheEnd } from "../before-the-end";
import type { Cluster, MachineOf } from "../cluster";
import { undoLater } from "../machine/undo-later";
import { inInstance } from "./instance";

/** Woken at the same time, the kubelet would find probes that do not answer yet, and end their containers. */
const secondsBeforeTheKubelet = 3;

/** Control groups of what starts pods, and of the pods, Kubernetes' own among them. */
const groups = { kubernetes: "k3s\\.service", pods: "kubepods" } as const;

/** Whatever runs in such a control group and is not PostgreSQL. */
const others = (group: string): string =>
    `for file in $(grep -lE "${group}" /proc/[0-9]*/cgroup 2>/dev/null); do dir=\${file%/cgroup}; ` +
    `[ "$(cat $dir/comm 2>/dev/null)" = postgres ] || echo \${dir#/proc/}; done`;

const set = ["alter system set synchronous_standby_names = 'ANY 1 (*)'", "alter system set archive_command = ''"];
const reset = ["alter system reset synchronous_standby_names", "alter system reset archive_command"];

/**
 * The same instances with nothing beside them: etcd, Patroni, HAProxy, Kubernetes and the runner of backups stand still, any
 * standby confirms a commit, nothing is archived. Patroni is paused before: it goes on afterwards as if nothing had been, and
 * takes no offence at a lock that has expired. Nobody is promoted meanwhile; what is left behind undoes itself.
 */
export async function alone<Result>(cluster: Cluster, act: () => Promise<Result>): Promise<Result> {
    const primary = await cluster.primaryMachine();
    const machines = cluster.shells;
    const inPrimary = `exec ${primary.name} -c postgresql --`;
    const callOff = await undoLater(await cluster.server(), afterAnEnd(cluster, inPrimary));
    const thaws: (() => Promise<void>)[] = [];
    let freezing: Promise<unknown> = Promise.resolve();
    let undoing: Promise<void> | undefined;
    const undo = () =>
        (undoing ??= (async () => {
            await freezing.catch(() => undefined);
            await alter(primary, reset).finally(() => Promise.all(thaws.map((thaw) => thaw())));
            await kubectl(cluster, `${inPrimary} patronictl resume --wait`);
            await cluster.waitUntilHealed();
            await callOff();
        })());
    const dismiss = beforeTheEnd(undo);
    try {
        freezing = kubectl(cluster, `${inPrimary} patronictl pause --wait`).then(async () => {
            const frozen = machines.map((ssh) => freezeOthers(ssh, thaws));
            // None may be frozen after the others were thawed.
            await Promise.allSettled(frozen);
            await Promise.all(frozen);
        });
        await freezing;
        await undoing;
        await alter(primary, set);
        return await act();
    } finally {
        await undo();
        dismiss();
    }
}

/** The machines have thawed by then, each by itself. */
function afterAnEnd(cluster: Cluster, inPrimary: string): string {
    const exec = `k3s kubectl -n ${cluster.state.namespace} ${inPrimary}`;
    const statements = [...reset, "select pg_reload_conf()"].map((statement) => `-c "${statement}"`).join(" ");
    const psql = `${exec} psql --no-psqlrc -q -h /run/postgresql -U postgres ${statements}`;
    // Kubernetes may not answer yet. Patroni that is not paused needs no resuming, and says so with an error.
    return `sleep 60; until ${psql}; do sleep 5; done; ${exec} patronictl resume`;
}

async function alter(primary: MachineOf, statements: string[]): Promise<void> {
    const psql = "runuser -u postgres -- psql --no-psqlrc -q -v ON_ERROR_STOP=1 -h /run/postgresql -U postgres";
    await inInstance(primary.ssh, `${psql} > /dev/null`, 20, [...statements, "select pg_reload_conf();\n"].join(";\n"));
}

/** `thaws`: takes what thaws them, before they are frozen. */
async function freezeOthers(ssh: Shell, thaws: (() => Promise<void>)[]): Promise<void> {
    const list = async (group: string) => (await ssh.run(others(group))).stdout.split("\n").filter(Boolean).join(" ");
    const [kubernetes, pods] = [await list(groups.kubernetes), await list(groups.pods)];
    const thaw = `kill -CONT ${pods}; sleep ${secondsBeforeTheKubelet}; kill -CONT ${kubernetes}; true`;
    const callOff = await undoLater(ssh, thaw);
    thaws.push(async () => {
        await ssh.run(thaw);
        await callOff();
    });
    await ssh.run(`kill -STOP ${kubernetes} ${pods}; true`);
}
