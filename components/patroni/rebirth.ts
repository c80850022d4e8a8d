import { etcdctl, type EtcdLocation } from "../etcd/etcdctl";
import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { keyPrefix } from "../naming";
import { step } from "../progress";
import type { ClusterLocation } from "./api";
import { paths, printRestoreGeneration } from "./config";
import { isStarted, startStopped, stopInstances } from "./stopping";

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

/**
 * Stops every instance, forgets the cluster, and starts them: each sets its data aside, one restores, others clone. An update
 * that ended before the restore did is repeated: what the restore has made since may be acknowledged work, and is left alone.
 */
export async function startAnew(ssh: SshConnection, location: ClusterLocation, rebirth: Rebirth): Promise<void> {
    const { generation } = rebirth;
    if ((await isStarted(ssh, location)) && (await hasBegun(ssh, location, generation))) {
        console.log(`${location.cluster}: restore ${generation} has begun already; it goes on where it is`);
        return;
    }
    try {
        // RestorePreparation has stopped them; somebody may have started them since.
        await stopInstances(ssh, location, `restore ${generation}`);
        await step(location.cluster, `restore ${generation}: forgetting the cluster's state in etcd`, () =>
            forgetCluster(ssh, location, rebirth),
        );
    } finally {
        // A restore that cannot begin must not leave a cluster that is down.
        await startStopped(ssh, location);
    }
}

/** Whether any instance has data of this restore, or makes some, or may have: one that cannot be asked counts as such. */
async function hasBegun(ssh: SshConnection, location: ClusterLocation, generation: number): Promise<boolean> {
    const asked = location.instances.map(async (instance) => ({
        mark: await restoreMark(ssh, location, instance),
        data: await dataState(ssh, location, instance),
    }));
    const instances = await Promise.all(asked);
    const known = instances.filter(({ mark }) => mark !== undefined);
    if (known.length === 0) {
        throw new Error(
            `no instance of ${location.cluster} says whether restore ${generation} has begun; run the update again when ` +
                `a pod runs, or stop them all (kubectl -n ${location.namespace} scale statefulset ${location.cluster} --replicas=0)`,
        );
    }
    const follow = instances.filter(({ mark }) => mark === undefined || mark >= generation);
    return known.some(({ mark }) => (mark ?? 0) >= generation) && follow.some(({ data }) => data !== "none");
}

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
        `elif [ -d ${dataFolder} ]; then echo none; fi\n`;
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
