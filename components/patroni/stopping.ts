import { kubectl, silentNodes } from "../k3s/cluster-access";
import type { RunResult, SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { askAnyInstance, leads, listMembers, type ClusterLocation } from "./api";
import { superuserPsql } from "./config";
import { missingInRepository, type Archived } from "./unarchived";

/**
 * Archives what was written last and stops every instance. Nothing to do where there is no set of them yet. Fails before
 * anything is stopped when the archive does not have it in time; the backlog of a store that was away takes as long.
 *
 * Returns up to where the repository should have everything at the least (`refuseMissing`); undefined where no primary ran, or
 * a person has stopped it.
 */
export async function stopInstances(
    ssh: SshConnection,
    location: ClusterLocation,
    why: string,
    archivedWithinSeconds = 120,
): Promise<Archived | undefined> {
    const { cluster, namespace, instances } = location;
    const stopped = await whatIsStopped(ssh, location);
    if (stopped === undefined) {
        return undefined;
    }
    // Of an update that was broken off after it, too.
    let archived = stopped.replicas === 0 && stopped.why === why ? stopped.archived : undefined;
    if (stopped.replicas > 0) {
        await refuseSilentNodes(ssh, location, why);
        const settings = await askAnyInstance<DynamicSettings>(ssh, location, "GET", "/config").catch(() => ({}));
        refusePaused(location, why, settings);
        archived = await step(cluster, `${why}: archiving what was written last`, () =>
            archiveTheRest(ssh, location, settings, archivedWithinSeconds),
        );
    }
    await step(cluster, `${why}: stopping the instances`, async () => {
        await scale(ssh, location, 0, { why, archived });
        await waitFor(`the pods of ${cluster}`, 600, async () => {
            const get = `-n ${namespace} get pods ${instances.join(" ")} --ignore-not-found -o name`;
            const left = (await kubectl(ssh, get)).stdout.trim();
            return left === "" ? { done: true } : { waiting: left.split("\n").join(", ") };
        });
    });
    return archived;
}

/**
 * What was written after the last segment was archived PostgreSQL archives as it ends, which may fail, or be cut off with it,
 * without anybody hearing of it. The instances have to be stopped; the caller starts them again.
 */
export async function refuseMissing(
    ssh: SshConnection,
    location: ClusterLocation,
    why: string,
    archived: Archived,
): Promise<void> {
    const { cluster } = location;
    await step(cluster, `${why}: looking whether all that was written until then is archived`, async () => {
        const missing = await missingInRepository(ssh, location, archived).catch(
            (error: unknown) => (error as Error).message,
        );
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

/** What there is of Patroni's configuration; none of its instances may answer. */
interface DynamicSettings {
    pause?: boolean;
    ttl?: number;
}

/** In pause Patroni ends without its PostgreSQL, which is killed then, and starts none afterwards. */
function refusePaused({ namespace, instances }: ClusterLocation, why: string, { pause }: DynamicSettings): void {
    if (pause === true) {
        throw new Error(
            `${why}: every instance has to stop first, and Patroni is paused, which would kill them: end the pause ` +
                `(kubectl -n ${namespace} exec ${instances[0]} -- patronictl resume) and run the update again. ` +
                "Nothing was stopped or changed",
        );
    }
}

/** Starts the instances that a restore stopped, also one that was broken off in between. */
export async function startStopped(ssh: SshConnection, location: ClusterLocation): Promise<void> {
    const wanted = location.instances.length;
    if (((await whatIsStopped(ssh, location))?.replicas ?? wanted) >= wanted) {
        return;
    }
    await step(location.cluster, "starting the instances", () => scale(ssh, location, wanted, {}));
}

/** Why the set is stopped; both are without value while it runs, or when a person has stopped it. */
const notes = { why: "postgres-ha/stopped-for", archived: "postgres-ha/stopped-after" } as const;

/** At once: what is stopped without its note would be taken for stopped by somebody else. */
async function scale(
    ssh: SshConnection,
    { cluster, namespace }: ClusterLocation,
    replicas: number,
    { why, archived }: Partial<Pick<Stopped, "why" | "archived">>,
): Promise<void> {
    const annotations = {
        [notes.why]: why ?? null,
        [notes.archived]: archived === undefined ? null : `${archived.primary} ${archived.segment}`,
    };
    const patch = JSON.stringify({ metadata: { annotations }, spec: { replicas } });
    await kubectl(ssh, `-n ${namespace} patch statefulset ${cluster} --type=merge --patch '${patch}'`);
}

interface Stopped {
    replicas: number;
    /** By this program, and for what: anybody may have stopped them for something else. */
    why: string | undefined;
    archived: Archived | undefined;
}

/** Undefined where there is no set of instances. */
async function whatIsStopped(
    ssh: SshConnection,
    { cluster, namespace }: ClusterLocation,
): Promise<Stopped | undefined> {
    const get = `-n ${namespace} get statefulset ${cluster} --ignore-not-found -o json`;
    const { stdout } = await kubectl(ssh, get);
    if (stdout.trim() === "") {
        return undefined;
    }
    const { metadata, spec } = JSON.parse(stdout) as {
        metadata: { annotations?: Record<string, string> };
        spec: { replicas: number };
    };
    const [primary, segment] = metadata.annotations?.[notes.archived]?.split(" ") ?? [];
    return {
        replicas: spec.replicas,
        why: metadata.annotations?.[notes.why],
        archived: primary !== undefined && segment !== undefined ? { primary, segment } : undefined,
    };
}

/** Whether the instances are stopped, and by this program, for this. */
export async function isStoppedFor(ssh: SshConnection, location: ClusterLocation, why: string): Promise<boolean> {
    const stopped = await whatIsStopped(ssh, location);
    return stopped?.replicas === 0 && stopped.why === why;
}

export const hasInstances = async (ssh: SshConnection, location: ClusterLocation): Promise<boolean> =>
    (await whatIsStopped(ssh, location)) !== undefined;

/** For a failover that has just begun: the lock's time, the race, the promotion, and a busy host. */
const failoverSeconds = (ttl = 10): number => 2 * ttl + 10;

/** For what a checkpoint has to write, of any size. */
const checkpointWithinSeconds = 600;

/** A primary that is lost meanwhile has a successor. */
const mostAttempts = 3;

/**
 * The last segment reaches the repository while there is a primary; a cluster that is down has nothing to add: undefined. One
 * whose primary does not do it is for a person to stop.
 */
async function archiveTheRest(
    ssh: SshConnection,
    location: ClusterLocation,
    { ttl }: DynamicSettings,
    archivedWithinSeconds: number,
): Promise<Archived | undefined> {
    const { cluster } = location;
    for (let attempt = 1; ; attempt += 1) {
        const primary = await waitFor(`a primary of ${cluster}`, failoverSeconds(ttl), async () => {
            const members = await listMembers(ssh, location).catch(() => []);
            const name = members.find(leads)?.name;
            return name === undefined ? { waiting: "no instance leads" } : { done: name };
        }).catch((error: unknown) => void console.log(`${cluster}: ${(error as Error).message}`));
        if (primary === undefined) {
            // That is what a restore is for.
            console.log(`${cluster}: what was not archived before stays in the data that is set aside`);
            return undefined;
        }
        try {
            const segment = await endSegment(ssh, location, primary);
            await waitUntilArchived(ssh, location, primary, segment, archivedWithinSeconds);
            return { primary, segment };
        } catch (error) {
            if (error instanceof NotArchived || attempt === mostAttempts) {
                throw new Error(leftBehind(location, `${primary}: ${(error as Error).message}`), { cause: error });
            }
        }
    }
}

class NotArchived extends Error {}

/** Ends the segment that is being written and returns its name; all of it is in the data files then. */
async function endSegment(ssh: SshConnection, location: ClusterLocation, primary: string): Promise<string> {
    // Else PostgreSQL writes it all as it ends, for which Patroni waits only a few seconds before it kills it.
    await checkpoint(ssh, location, primary, checkpointWithinSeconds);
    // A commit after every moment of the past: recovery to a time ends at the first commit behind it.
    const { exitCode, stdout, stderr } = await sql(
        ssh,
        location,
        primary,
        "set synchronous_commit = local; do 'begin perform pg_current_xact_id(); end';\n" +
            "select pg_walfile_name(pg_switch_wal());",
    );
    const segment = stdout.trim();
    if (exitCode !== 0 || !/^[0-9A-F]{24}$/.test(segment)) {
        throw new Error(`the last WAL segment cannot be ended: ${stderr.trim() || stdout.trim()}`);
    }
    return segment;
}

async function waitUntilArchived(
    ssh: SshConnection,
    location: ClusterLocation,
    primary: string,
    segment: string,
    withinSeconds: number,
): Promise<void> {
    const last = "select coalesce(last_archived_wal, '') from pg_stat_archiver;";
    await waitFor(`segment ${segment}`, withinSeconds, async () => {
        const archived = (await sql(ssh, location, primary, last)).stdout.trim();
        return archived >= segment ? { done: true } : { waiting: `archived: ${archived}` };
    }).catch((error: unknown) => {
        throw new NotArchived((error as Error).message, { cause: error });
    });
    await checkpoint(ssh, location, primary, 1);
}

async function checkpoint(
    ssh: SshConnection,
    location: ClusterLocation,
    primary: string,
    withinSeconds: number,
): Promise<void> {
    const end = Date.now() + withinSeconds * 1000;
    // An exec is given a minute. A checkpoint that is waited for no more goes on.
    for (let goesOn = true; goesOn && Date.now() < end;) {
        goesOn = (await sql(ssh, location, primary, "checkpoint;", "timeout 25 ")).exitCode === 124;
    }
}

const sql = (
    ssh: SshConnection,
    { namespace }: ClusterLocation,
    primary: string,
    statement: string,
    prefix = "",
): Promise<RunResult> =>
    kubectl(ssh, `-n ${namespace} exec -i ${primary} -c postgresql -- ${prefix}${superuserPsql}`, {
        stdin: statement,
        allowFailure: true,
    });
