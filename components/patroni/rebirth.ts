import { setTimeout as sleep } from "node:timers/promises";
import { etcdctl, type EtcdLocation } from "../etcd/etcdctl";
import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { keyPrefix } from "../naming";
import { step } from "../progress";
import type { ClusterLocation } from "./api";
import { paths, printRestoreGeneration } from "./config";
import { isStoppedFor, startStopped, stopInstances } from "./stopping";

/** A cluster that begins anew from its repository: after a loss of all data, or for a restore that was asked for. */
export interface Rebirth {
    /** Restore that was asked for last; 0: none ever. */
    generation: number;
    /** The etcd members' pods: Patroni's keys are reset through them. */
    etcdMembers: string[];
}

const pauseMs = 2000;

/** Longer than it takes an instance from the lock of the bootstrap to its first process. */
const certainAfterMs = 10_000;

/** Each is some seconds after the one before, and tries for some itself. */
const mostFailures = 3;

/** Nothing was forgotten: a person has to say what is to be there. */
export class LostData extends Error {}

/**
 * All data is gone but etcd still says that the cluster was initialised: every instance would wait for a leader for
 * ever. Only when every instance was asked and has no data, and nobody is making any, for a while, are the keys
 * removed; then one of them bootstraps from the repository.
 */
export class LostDataWatch {
    private since: number | undefined;
    private failures = 0;

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
        const source = await this.sourceOfNewData().catch((error: unknown) => error as Error);
        if (source instanceof Error) {
            this.failures += 1;
            if (this.failures < mostFailures) return;
            throw new LostData(
                `no instance of ${this.location.cluster} has any data; nothing was initialised: ${source.message}. Run the update ` +
                    "again when the repository answers",
            );
        }
        this.failures = 0;
        if (source === "none") {
            throw new LostData(
                `no instance of ${this.location.cluster} has any data, and the repository in the settings holds no backup of it: ` +
                    "a new, empty database would take its place. If the repository is another one than before, name that " +
                    "one again (backup.repository); docs/runbooks/total-loss.md says how to begin with an empty database",
            );
        }
        const what = "no instance has any data: forgetting the lost cluster, so that one of them bootstraps";
        await step(this.location.cluster, what, () => forgetCluster(this.ssh, this.location, this.rebirth));
    }

    /**
     * What would be there after the cluster is forgotten: `none` where one that was finished, as the system identifier that
     * Patroni notes then says, would be followed by an empty one.
     */
    private async sourceOfNewData(): Promise<"repository" | "none"> {
        const key = `${prefixOf(this.location)}initialize`;
        const identifier = await etcdctl(this.ssh, etcd(this.location, this.rebirth), `get --print-value-only ${key}`);
        if (identifier.trim() === "") return "repository";
        const script = "cd /usr/local/lib/postgres-ha && python3 -m backup.source_of_new_data\n";
        let last = "no instance could ask it";
        for (const instance of this.location.instances) {
            const said = await askInstance(this.ssh, this.location, instance, script);
            if (said === "repository" || said === "none") return said;
            last = said ?? last;
        }
        throw new Error(last);
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

/**
 * Stops every instance, forgets the cluster, and starts them: each sets its data aside, one restores, others clone. An update
 * that ended before the restore did is repeated: what the restore has made since may be acknowledged work, and is left alone.
 */
export async function startAnew(
    ssh: SshConnection,
    location: ClusterLocation,
    rebirth: Rebirth,
    patienceMs = 60_000,
): Promise<void> {
    const { generation } = rebirth;
    const why = `restore ${generation}`;
    // RestorePreparation has stopped them. Where it has not, an earlier update may have come further than its state tells, and
    // somebody may have stopped since what it restored: the volumes know, and only running instances tell.
    if (!(await isStoppedFor(ssh, location, why))) {
        await startStopped(ssh, location);
        if (await hasBegun(ssh, location, generation, patienceMs)) {
            console.log(`${location.cluster}: restore ${generation} has begun already; it goes on where it is`);
            return;
        }
    }
    try {
        await stopInstances(ssh, location, why);
        await step(location.cluster, `${why}: forgetting the cluster's state in etcd`, () =>
            forgetCluster(ssh, location, rebirth),
        );
    } finally {
        // A restore that cannot begin must not leave a cluster that is down.
        await startStopped(ssh, location);
    }
}

/** Whether any instance has data of this restore, or makes some, or may have: one that cannot be asked counts as such. */
async function hasBegun(
    ssh: SshConnection,
    location: ClusterLocation,
    generation: number,
    patienceMs: number,
): Promise<boolean> {
    const ask = () =>
        Promise.all(
            location.instances.map(async (instance) => ({
                mark: await restoreMark(ssh, location, instance),
                data: await dataState(ssh, location, instance),
            })),
        );
    let instances = await ask();
    // Those that were started just now are waited for.
    for (const end = Date.now() + patienceMs; instances.some(isSilent) && Date.now() < end; instances = await ask()) {
        await sleep(pauseMs);
    }
    const known = instances.filter((instance) => !isSilent(instance));
    if (known.length === 0) {
        throw new Error(
            `no instance of ${location.cluster} says whether restore ${generation} has begun; run the update again when ` +
                `a pod runs (kubectl -n ${location.namespace} get pods)`,
        );
    }
    const follow = instances.filter(({ mark }) => mark === undefined || mark >= generation);
    return known.some(({ mark }) => (mark ?? 0) >= generation) && follow.some(({ data }) => data !== "none");
}

const isSilent = ({ mark }: { mark: number | undefined }): boolean => mark === undefined;

/** The last restore that this instance's volume has seen (image/backup/set_aside.py); undefined where it cannot be asked. */
async function restoreMark(
    ssh: SshConnection,
    location: ClusterLocation,
    instance: string,
): Promise<number | undefined> {
    const said = await askInstance(ssh, location, instance, `${printRestoreGeneration}\n`);
    return said !== undefined && /^\d+$/.test(said) ? Number(said) : undefined;
}

/** Names of Patroni's keys; undefined while etcd does not answer. */
async function patroniKeys(
    ssh: SshConnection,
    location: ClusterLocation,
    rebirth: Rebirth,
): Promise<string[] | undefined> {
    const prefix = prefixOf(location);
    const found = await etcdctl(ssh, etcd(location, rebirth), `get --prefix --keys-only ${prefix}`).catch(
        () => undefined,
    );
    return found
        ?.split("\n")
        .filter((line) => line.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
}

const forgetCluster = (ssh: SshConnection, location: ClusterLocation, rebirth: Rebirth): Promise<string> =>
    etcdctl(ssh, etcd(location, rebirth), `del --prefix ${prefixOf(location)}`);

const etcd = ({ namespace }: ClusterLocation, { etcdMembers }: Rebirth): EtcdLocation => ({
    namespace,
    members: etcdMembers,
});

const prefixOf = ({ cluster }: ClusterLocation): string => keyPrefix(cluster);

type DataState = "none" | "some" | "in the making" | "not known";

/** Looks into the pod's volume; what cannot be looked at is never taken for empty. */
async function dataState(ssh: SshConnection, location: ClusterLocation, instance: string): Promise<DataState> {
    const script =
        // What was put aside for a copy (94-past-mending.patch) is taken back where nobody leads.
        `if [ -e ${paths.data}/PG_VERSION ] || [ -e ${paths.data}.aside ]; then echo some\n` +
        // The brackets keep the pattern from matching the command that looks for it.
        `elif grep -qsaE 'backup.[b]ootstrap|[i]nitdb|[p]gbackrest|[p]g_basebackup' /proc/[0-9]*/cmdline; then echo in the making\n` +
        `elif [ -d ${paths.volume} ]; then echo none; fi\n`;
    const state = (await askInstance(ssh, location, instance, script)) ?? "";
    return ["none", "some", "in the making"].includes(state) ? (state as DataState) : "not known";
}

/** What a script in an instance prints; undefined where it cannot run or fails. */
async function askInstance(
    ssh: SshConnection,
    { namespace }: ClusterLocation,
    instance: string,
    script: string,
): Promise<string | undefined> {
    const answer = await kubectl(ssh, `-n ${namespace} exec -i ${instance} -c postgresql -- bash`, {
        allowFailure: true,
        stdin: script,
    });
    return answer.exitCode === 0 ? answer.stdout.trim() : undefined;
}
