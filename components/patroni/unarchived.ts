import { randomBytes } from "node:crypto";
import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { waitFor } from "../progress";
import type { ClusterLocation } from "./api";
import { paths } from "./config";

/** Up to where a primary has archived its WAL. */
export interface Archived {
    /** Its name. */
    primary: string;
    /** The last segment, which its timeline is part of. */
    segment: string;
}

/** What the data directory of a stopped instance tells. */
export interface StoppedData {
    instance: string;
    /** By pg_controldata; empty where there is no data, or a copy that has never been started. */
    state: string;
    timeline: number;
    /** Segments and histories that wait to be archived. */
    waiting: string[];
}

/** For a shell with the volume: state, timeline, and what waits, a line each. Fails where there is data that cannot be read. */
const look = `set -eo pipefail
test -e ${paths.data}/PG_VERSION || exit 0
for mark in ${paths.data}.copying ${paths.volume}/bootstrap-unfinished ${paths.data}/backup_label; do test ! -e $mark || exit 0; done
control=$(LC_ALL=C pg_controldata ${paths.data})
sed -n 's/^Database cluster state: *//p' <<< "$control"
sed -n "s/^Latest checkpoint's TimeLineID: *//p" <<< "$control"
ls ${paths.data}/pg_wal/archive_status | sed -n 's/\\.ready$//p'
`;

/** A segment in whole or a history: a restore reads nothing else. */
const isRead = /^([0-9A-F]{24}|[0-9A-F]{8}\.history)$/;

/** For a pod that reads a volume. Those of others than the primary are waited for as long as that one takes, and this. */
const lookSeconds = 90;
const othersSeconds = 15;

/** None that any selector of the stack knows. */
const lookLabel = "postgres-ha/look";

/** What of the WAL that the last primary left the repository does not have, as a clause; undefined: it has all. */
export async function missingInRepository(
    ssh: SshConnection,
    location: ClusterLocation,
    archived: Archived,
): Promise<string | undefined> {
    return missingOf(await lookAtStopped(ssh, location, archived.primary), archived);
}

const isStandby = ({ state }: StoppedData): boolean => /^(shut down in recovery|in archive recovery)$/.test(state);

export function missingOf(found: StoppedData[], { primary, segment }: Archived): string | undefined {
    // A standby's WAL is its primary's, and its marks are behind. A primary of before may never have come back.
    const led = found.filter((data) => data.state !== "" && !isStandby(data));
    const newest = Math.max(0, ...led.map(({ timeline }) => timeline));
    if (newest < parseInt(segment.slice(0, 8), 16)) {
        return `what ${primary} has written last is on no volume that can be read`;
    }
    const missing = led
        .filter(({ timeline }) => timeline === newest)
        .flatMap(({ instance, state, waiting }) => {
            if (state !== "shut down") return [`${instance} was killed before it had archived its last WAL (${state})`];
            return waiting.length > 0 ? [`${instance} has ${waiting.join(", ")} and could not archive it`] : [];
        });
    return missing.join("; ") || undefined;
}

/** Reads each volume in a pod of its own: the instances have ended, and which machine has which volume Kubernetes knows. */
async function lookAtStopped(ssh: SshConnection, location: ClusterLocation, primary: string): Promise<StoppedData[]> {
    const { namespace, cluster, instances } = location;
    const { stdout } = await kubectl(ssh, `-n ${namespace} get statefulset ${cluster} -o json`);
    const set = JSON.parse(stdout) as InstanceSet;
    // One that is not bound yet would be, to a machine where its instance may not run.
    const bound = await phasesOf(ssh, `-n ${namespace} get persistentvolumeclaims`);
    const isBound = (instance: string) => claimsOf(set, instance).every(({ name }) => bound.get(name) === "Bound");
    // A name that is used once: one on a machine that went silent stays until it is heard of.
    const run = randomBytes(3).toString("hex");
    const pods = instances.filter(isBound).map((instance) => ({ instance, pod: `${instance}-look-${run}` }));
    if (!pods.some(({ instance }) => instance === primary)) {
        return [];
    }
    const names = pods.map(({ pod }) => pod).join(" ");
    // Those of an update that was broken off, too.
    const remove = () =>
        kubectl(ssh, `-n ${namespace} delete pods -l ${lookLabel}=${cluster} --wait=false --grace-period=1`).catch(
            (error: unknown) => console.log(`${cluster}: ${(error as Error).message}`),
        );
    await remove();
    try {
        const items = pods.map(({ instance, pod }) => reader(set, location, instance, pod));
        const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items });
        await kubectl(ssh, "create -f -", { stdin });
        let phases = new Map<string, string>();
        const wait = (seconds: number, which: typeof pods) =>
            waitFor(`the volumes of ${cluster}`, seconds, async () => {
                phases = await phasesOf(ssh, `-n ${namespace} get pods ${names}`);
                const left = which.filter(({ pod }) => !/^(Succeeded|Failed)$/.test(phases.get(pod) ?? ""));
                return left.length === 0
                    ? { done: true }
                    : { waiting: left.map(({ pod }) => `${pod} ${phases.get(pod)}`).join(", ") };
            });
        const ofPrimary = pods.filter(({ instance }) => instance === primary);
        await wait(lookSeconds, ofPrimary);
        // A machine that takes no pods keeps nobody: it has what the primary has.
        await wait(othersSeconds, pods).catch((error: unknown) =>
            console.log(`${cluster}: ${(error as Error).message}`),
        );
        return await Promise.all(
            pods
                .filter(({ pod }) => phases.get(pod) === "Succeeded")
                .map(async ({ instance, pod }) => {
                    const said = await kubectl(ssh, `-n ${namespace} logs ${pod}`);
                    const [state = "", timeline = "0", ...waiting] = said.stdout.trim().split("\n");
                    const kept = waiting.filter((name) => isRead.test(name));
                    return { instance, state, timeline: Number(timeline), waiting: kept };
                }),
        );
    } finally {
        await remove();
    }
}

/** Of each object its phase, by name. */
async function phasesOf(ssh: SshConnection, get: string): Promise<Map<string, string>> {
    const columns = "custom-columns=NAME:.metadata.name,PHASE:.status.phase --no-headers";
    const { stdout } = await kubectl(ssh, `${get} --ignore-not-found -o ${columns}`);
    const rows = stdout.split("\n").map((line) => line.trim().split(/\s+/));
    return new Map(rows.map(([name = "", phase = ""]) => [name, phase]));
}

/** As far as it is needed here. */
interface InstanceSet {
    spec: {
        volumeClaimTemplates: { metadata: { name: string } }[];
        template: {
            spec: {
                securityContext: object;
                containers: {
                    name: string;
                    image: string;
                    imagePullPolicy: string;
                    securityContext: object;
                    volumeMounts: { name: string }[];
                }[];
            };
        };
    };
}

const claimsOf = ({ spec }: InstanceSet, instance: string): { volume: string; name: string }[] =>
    spec.volumeClaimTemplates.map(({ metadata: { name } }) => ({ volume: name, name: `${name}-${instance}` }));

/** A pod that has the volumes of an instance as the instance has them, and nothing else. */
function reader(set: InstanceSet, location: ClusterLocation, instance: string, name: string): object {
    const { namespace, cluster } = location;
    const { securityContext, containers } = set.spec.template.spec;
    const claims = claimsOf(set, instance);
    const postgresql = containers.find((container) => container.name === "postgresql");
    if (postgresql === undefined) {
        throw new Error(`the set of ${instance} has no container postgresql`);
    }
    return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels: { [lookLabel]: cluster } },
        spec: {
            restartPolicy: "Never",
            activeDeadlineSeconds: lookSeconds,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext,
            // Where the volume is it has to run, whatever the node is marked with.
            tolerations: [{ operator: "Exists" }],
            containers: [
                {
                    name: "look",
                    image: postgresql.image,
                    imagePullPolicy: postgresql.imagePullPolicy,
                    securityContext: postgresql.securityContext,
                    command: ["bash", "-c", look],
                    volumeMounts: postgresql.volumeMounts.filter((mount) =>
                        claims.some(({ volume }) => volume === mount.name),
                    ),
                },
            ],
            volumes: claims.map(({ volume, name: claimName }) => ({
                name: volume,
                persistentVolumeClaim: { claimName },
            })),
        },
    };
}
