import { kubectl, silentNodes } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { leads, listMembers, type ClusterLocation } from "./api";
import { paths } from "./config";
import { missingInRepository } from "./unarchived";

/**
 * Archives what was written last and stops every instance. Nothing to do where there is no set of them yet. Fails before
 * anything is stopped when the archive does not have it in time; the backlog of a store that was away takes as long.
 *
 * Returns whether the repository should have everything now (`refuseMissing`): not where no primary ran, or a person has
 * stopped it.
 */
export async function stopInstances(
    ssh: SshConnection,
    location: ClusterLocation,
    why: string,
    archivedWithinSeconds = 120,
): Promise<boolean> {
    const { cluster, namespace, instances } = location;
    const replicas = await replicasOf(ssh, location);
    if (replicas === undefined) {
        return false;
    }
    // Also by an update that was broken off after it.
    let isArchived = await isStoppedFor(ssh, location, why);
    if (replicas > 0) {
        await refuseSilentNodes(ssh, location, why);
        isArchived = await step(cluster, `${why}: archiving what was written last`, () =>
            archiveTheRest(ssh, location, archivedWithinSeconds),
        );
    }
    await step(cluster, `${why}: stopping the instances`, async () => {
        await noteWhyStopped(ssh, location, why);
        await scale(ssh, location, 0);
        await waitFor(`the pods of ${cluster}`, 600, async () => {
            const get = `-n ${namespace} get pods ${instances.join(" ")} --ignore-not-found -o name`;
            const left = (await kubectl(ssh, get)).stdout.trim();
            return left === "" ? { done: true } : { waiting: left.split("\n").join(", ") };
        });
    });
    return isArchived;
}

/**
 * What was written after the last segment was archived PostgreSQL archives as it ends, which may fail, or be cut off with it,
 * without anybody hearing of it. The instances have to be stopped; the caller starts them again.
 */
export async function refuseMissing(ssh: SshConnection, location: ClusterLocation, why: string): Promise<void> {
    const { cluster } = location;
    await step(cluster, `${why}: looking whether all that was written until then is archived`, async () => {
        const missing = await missingInRepository(ssh, location).catch((error: unknown) => (error as Error).message);
        if (missing !== undefined) {
            throw new Error(leftBehind(location, missing));
        }
    });
}

/** What to do where a restore would leave behind what nobody wanted it to. */
function leftBehind({ cluster, namespace }: ClusterLocation, missing: string): string {
    const stop = `kubectl -n ${namespace} scale statefulset ${cluster} --replicas=0`;
    return (
        `restore: the repository does not have what was acknowledged last, and a restore would leave it behind: ${missing}. ` +
        "Run the update again when `make status` says that WAL is archived. To restore without it, stop the instances first " +
        `(${stop}): it stays in the data directories that are set aside`
    );
}

/** Instances on nodes that are not Ready, each with its node. */
export async function onSilentNodes(ssh: SshConnection, location: ClusterLocation): Promise<string[]> {
    const columns = "custom-columns=NAME:.metadata.name,NODE:.spec.nodeName --no-headers";
    const get = `-n ${location.namespace} get pods ${location.instances.join(" ")} --ignore-not-found -o ${columns}`;
    const pods = (await kubectl(ssh, get)).stdout.split("\n").map((line) => line.split(/\s+/));
    const silent = await silentNodes(ssh);
    return pods.flatMap(([pod = "", node = ""]) => (silent.has(node) ? [`${pod} on ${node}`] : []));
}

/** What runs on a node whose kubelet is silent does not end: the others would wait for it, stopped. */
async function refuseSilentNodes(ssh: SshConnection, location: ClusterLocation, why: string): Promise<void> {
    const stuck = await onSilentNodes(ssh, location);
    if (stuck.length > 0) {
        throw new Error(
            `${why}: every instance has to stop first, and these cannot be told to, as their node is not Ready: ` +
                `${stuck.join(", ")}. Switch the machine on, or take it out of the settings, and run the update again. ` +
                "Nothing was stopped or changed",
        );
    }
}

/** Starts the instances that a restore stopped, also one that was broken off in between. */
export async function startStopped(ssh: SshConnection, location: ClusterLocation): Promise<void> {
    const wanted = location.instances.length;
    if (((await replicasOf(ssh, location)) ?? wanted) >= wanted) {
        return;
    }
    await step(location.cluster, "starting the instances", async () => {
        // First: what somebody stops after this was not stopped for that.
        await noteWhyStopped(ssh, location, undefined);
        await scale(ssh, location, wanted);
    });
}

const whyStopped = "postgres-ha/stopped-for";

async function noteWhyStopped(
    ssh: SshConnection,
    { cluster, namespace }: ClusterLocation,
    why: string | undefined,
): Promise<void> {
    const note = why === undefined ? `${whyStopped}-` : `'${whyStopped}=${why}'`;
    await kubectl(ssh, `-n ${namespace} annotate statefulset ${cluster} --overwrite ${note}`);
}

/** Whether the instances are stopped, and by this program, for this: anybody may have stopped them for something else. */
export async function isStoppedFor(
    ssh: SshConnection,
    { cluster, namespace }: ClusterLocation,
    why: string,
): Promise<boolean> {
    const path = `{.spec.replicas} {.metadata.annotations.${whyStopped}}`;
    const get = `-n ${namespace} get statefulset ${cluster} --ignore-not-found -o jsonpath='${path}'`;
    return (await kubectl(ssh, get)).stdout.trim() === `0 ${why}`;
}

const scale = (ssh: SshConnection, { cluster, namespace }: ClusterLocation, replicas: number) =>
    kubectl(ssh, `-n ${namespace} scale statefulset ${cluster} --replicas=${replicas}`);

export const hasInstances = async (ssh: SshConnection, location: ClusterLocation): Promise<boolean> =>
    (await replicasOf(ssh, location)) !== undefined;

/** Undefined where there is no set of instances. */
async function replicasOf(ssh: SshConnection, { cluster, namespace }: ClusterLocation): Promise<number | undefined> {
    const get = `-n ${namespace} get statefulset ${cluster} --ignore-not-found -o jsonpath={.spec.replicas}`;
    const { stdout } = await kubectl(ssh, get);
    return stdout.trim() === "" ? undefined : Number(stdout);
}

/**
 * The last segment reaches the repository while there is a primary; a cluster that is down has nothing to add. Returns whether
 * it did.
 */
async function archiveTheRest(
    ssh: SshConnection,
    location: ClusterLocation,
    archivedWithinSeconds: number,
): Promise<boolean> {
    const members = await listMembers(ssh, location).catch(() => []);
    const primary = members.find(leads)?.name;
    if (primary === undefined) {
        console.log(`${location.cluster}: no primary runs; what it had not archived stays in the data set aside`);
        return false;
    }
    const psql = `exec -i ${primary} -c postgresql -- psql --no-psqlrc -qAt -h ${paths.socket} -U postgres -d postgres`;
    const sql = (statement: string) =>
        kubectl(ssh, `-n ${location.namespace} ${psql}`, { stdin: statement, allowFailure: true });
    // A commit after every moment of the past: recovery to a time ends at the first commit behind it.
    const { stdout, stderr } = await sql(
        "set synchronous_commit = local; do 'begin perform pg_current_xact_id(); end';\n" +
            "select pg_walfile_name(pg_switch_wal());",
    );
    const segment = stdout.trim();
    if (!/^[0-9A-F]{24}$/.test(segment)) {
        // A database that answers no more is what a restore is for.
        console.log(
            `${location.cluster}: the last WAL segment was not ended and stays in the data set aside: ${stderr.trim()}`,
        );
        return false;
    }
    await waitFor(`segment ${segment}`, archivedWithinSeconds, async () => {
        const archived = await sql("select coalesce(last_archived_wal, '') from pg_stat_archiver;");
        return archived.stdout.trim() >= segment ? { done: true } : { waiting: `archived: ${archived.stdout.trim()}` };
    }).catch((error: unknown) => {
        throw new Error(leftBehind(location, (error as Error).message), { cause: error });
    });
    return true;
}
