import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { keyPrefix, ports } from "../naming";
import { step, waitFor } from "../progress";
import { listMembers, type ClusterLocation } from "./api";
import { paths } from "./config";

/** A cluster that begins anew from its repository: after a loss of all data, or for a restore that was asked for. */
export interface Rebirth {
    /** Restore that was asked for last; 0: none ever. */
    generation: number;
    /** The etcd members' pods: Patroni's keys are reset through them. */
    etcdMembers: string[];
}

const dataFolder = paths.data.slice(0, paths.data.lastIndexOf("/"));

/** Longer than it takes an instance from the lock of the bootstrap to its first process. */
const certainAfterMs = 10_000;

/**
 * All data is gone but etcd still says that the cluster was initialised: every instance would wait for a leader for
 * ever. Only when every instance was asked and has no data, and nobody is making any, for a while, are the keys
 * removed; then one of them bootstraps from the repository.
 */
export class LostDataWatch {
    private since: number | undefined;

    constructor(
        private readonly ssh: SshConnection,
        private readonly location: ClusterLocation,
        private readonly rebirth: Rebirth,
    ) {}

    async look(): Promise<void> {
        if (!(await this.isLost())) {
            this.since = undefined;
            return;
        }
        this.since ??= Date.now();
        if (Date.now() - this.since < certainAfterMs) {
            return;
        }
        this.since = undefined;
        const what = "no instance has any data: forgetting the lost cluster, so that one of them bootstraps";
        await step(this.location.cluster, what, () => forgetCluster(this.ssh, this.location, this.rebirth));
    }

    private async isLost(): Promise<boolean> {
        const keys = await patroniKeys(this.ssh, this.location, this.rebirth);
        if (!keys?.includes("initialize") || keys.includes("leader")) {
            return false;
        }
        const { instances } = this.location;
        const states = await Promise.all(instances.map((instance) => dataState(this.ssh, this.location, instance)));
        return states.every((state) => state === "none");
    }
}

/** Stops every instance, forgets the cluster, and starts them: each sets its data aside, one restores, others clone. */
export async function startAnew(ssh: SshConnection, location: ClusterLocation, rebirth: Rebirth): Promise<void> {
    const { cluster, namespace, instances } = location;
    const { generation } = rebirth;
    await step(cluster, `restore ${generation}: archiving what was written last`, () => archiveTheRest(ssh, location));
    try {
        await step(cluster, `restore ${generation}: stopping the instances`, async () => {
            await scale(ssh, location, 0);
            await waitFor(`the pods of ${cluster}`, 600, async () => {
                const { stdout } = await kubectl(
                    ssh,
                    `-n ${namespace} get pods ${instances.join(" ")} --ignore-not-found -o name`,
                );
                return stdout.trim() === "" ? { done: true } : { waiting: stdout.trim().split("\n").join(", ") };
            });
        });
        await step(cluster, `restore ${generation}: forgetting the cluster's state in etcd`, () =>
            forgetCluster(ssh, location, rebirth),
        );
    } finally {
        // A restore that cannot begin must not leave a cluster that is down.
        await startStopped(ssh, location);
    }
}

const scale = (ssh: SshConnection, { cluster, namespace }: ClusterLocation, replicas: number) =>
    kubectl(ssh, `-n ${namespace} scale statefulset ${cluster} --replicas=${replicas}`);

/** Starts the instances that a restore stopped, also one that was broken off in between. */
export async function startStopped(ssh: SshConnection, location: ClusterLocation): Promise<void> {
    const { cluster, namespace, instances } = location;
    const get = `-n ${namespace} get statefulset ${cluster} -o jsonpath={.spec.replicas}`;
    if (Number((await kubectl(ssh, get)).stdout) >= instances.length) {
        return;
    }
    await step(cluster, "starting the instances", () => scale(ssh, location, instances.length));
}

/** The last segment reaches the repository while there is a primary; a cluster that is down has nothing to add. */
async function archiveTheRest(ssh: SshConnection, location: ClusterLocation): Promise<void> {
    const members = await listMembers(ssh, location).catch(() => []);
    const primary = members.find(({ role, state }) => role === "leader" && state === "running")?.name;
    if (primary === undefined) {
        console.log(`${location.cluster}: no primary runs; what it had not archived stays in the data set aside`);
        return;
    }
    const psql = `exec -i ${primary} -c postgresql -- psql --no-psqlrc -qAt -h ${paths.socket} -U postgres -d postgres`;
    const sql = (statement: string) =>
        kubectl(ssh, `-n ${location.namespace} ${psql}`, { stdin: statement, allowFailure: true });
    // A commit after every moment of the past: recovery to a time ends at the first commit behind it.
    const { stdout } = await sql(
        "set synchronous_commit = local; do 'begin perform pg_current_xact_id(); end';\n" +
            "select pg_walfile_name(pg_switch_wal());",
    );
    const segment = stdout.trim();
    await waitFor(`segment ${segment}`, 60, async () => {
        const archived = await sql("select coalesce(last_archived_wal, '') from pg_stat_archiver;");
        return archived.stdout.trim() >= segment ? { done: true } : { waiting: `archived: ${archived.stdout.trim()}` };
    }).catch((error: unknown) =>
        console.log(`${location.cluster}: ${(error as Error).message}; it stays in the data set aside`),
    );
}

/** Names of Patroni's keys; undefined while etcd does not answer. */
async function patroniKeys(
    ssh: SshConnection,
    location: ClusterLocation,
    rebirth: Rebirth,
): Promise<string[] | undefined> {
    const prefix = prefixOf(location);
    const found = await etcdctl(ssh, location, rebirth, `get --prefix --keys-only ${prefix}`).catch(() => undefined);
    return found
        ?.split("\n")
        .filter((line) => line.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
}

const forgetCluster = (ssh: SshConnection, location: ClusterLocation, rebirth: Rebirth): Promise<string> =>
    etcdctl(ssh, location, rebirth, `del --prefix ${prefixOf(location)}`);

const prefixOf = ({ cluster }: ClusterLocation): string => keyPrefix(cluster);

/** In the first member's pod that answers. */
async function etcdctl(
    ssh: SshConnection,
    { namespace }: ClusterLocation,
    { etcdMembers }: Rebirth,
    command: string,
): Promise<string> {
    const failures: string[] = [];
    const script =
        'exec etcdctl --cacert "$TLS_DIR/ca.crt" --cert "$TLS_DIR/tls.crt" --key "$TLS_DIR/tls.key" --command-timeout 5s ' +
        `--endpoints "https://127.0.0.1:${ports.etcdClient}" ${command}\n`;
    for (const member of etcdMembers) {
        const answer = await kubectl(ssh, `-n ${namespace} exec -i ${member} -- bash`, {
            allowFailure: true,
            stdin: script,
        });
        if (answer.exitCode === 0) {
            return answer.stdout;
        }
        failures.push(`${member}: ${answer.stderr.trim().split("\n").pop()}`);
    }
    throw new Error(`etcd answers in no pod: ${failures.join("; ")}`);
}

type DataState = "none" | "some" | "in the making" | "not known";

/** Looks into the pod's volume; what cannot be looked at is never taken for empty. */
async function dataState(ssh: SshConnection, { namespace }: ClusterLocation, instance: string): Promise<DataState> {
    const script =
        `if [ -e ${paths.data}/PG_VERSION ]; then echo some\n` +
        // The brackets keep the pattern from matching the command that looks for it.
        `elif grep -qsaE 'backup.[b]ootstrap|[i]nitdb|[p]gbackrest|[p]g_basebackup' /proc/[0-9]*/cmdline; then echo in the making\n` +
        `elif [ -d ${dataFolder} ]; then echo none; fi\n`;
    const answer = await kubectl(ssh, `-n ${namespace} exec -i ${instance} -c postgresql -- bash`, {
        allowFailure: true,
        stdin: script,
    });
    const state = answer.stdout.trim();
    return answer.exitCode === 0 && ["none", "some", "in the making"].includes(state)
        ? (state as DataState)
        : "not known";
}
