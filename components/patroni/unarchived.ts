import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { waitFor } from "../progress";
import type { ClusterLocation } from "./api";
import { paths } from "./config";

/** What the data directory of a stopped instance tells. */
export interface StoppedData {
    instance: string;
    /** By pg_controldata; empty where there is no data. */
    state: string;
    timeline: number;
    /** Segments and histories that wait to be archived. */
    waiting: string[];
}

/** For a shell with the volume: state, timeline, and what waits, a line each. */
const look =
    `control=$(LC_ALL=C pg_controldata ${paths.data} 2>/dev/null) || exit 0\n` +
    "sed -n 's/^Database cluster state: *//p' <<< \"$control\"\n" +
    'sed -n "s/^Latest checkpoint\'s TimeLineID: *//p" <<< "$control"\n' +
    `ls ${paths.data}/pg_wal/archive_status | sed -n 's/\\.ready$//p'\n`;

/** A segment in whole or a history: a restore reads nothing else. */
const isRead = /^([0-9A-F]{24}|[0-9A-F]{8}\.history)$/;

const lookSeconds = 90;

/** What of the WAL that the last primary left the repository does not have, as a clause; undefined: it has all. */
export async function missingInRepository(ssh: SshConnection, location: ClusterLocation): Promise<string | undefined> {
    return missingOf(await lookAtStopped(ssh, location));
}

export function missingOf(found: StoppedData[]): string | undefined {
    // A standby's WAL is its primary's, and its marks are behind. A primary of before may never have come back.
    const led = found.filter(({ state }) => state !== "" && !/recovery/.test(state));
    if (led.length === 0) {
        return "no volume has the data of a primary";
    }
    const newest = Math.max(...led.map(({ timeline }) => timeline));
    const missing = led
        .filter(({ timeline }) => timeline === newest)
        .flatMap(({ instance, state, waiting }) => {
            if (state !== "shut down") return [`${instance} was killed before it had archived its last WAL (${state})`];
            return waiting.length > 0 ? [`${instance} has ${waiting.join(", ")} and could not archive it`] : [];
        });
    return missing.join("; ") || undefined;
}

/** Reads each volume in a pod of its own: the instances have ended, and which machine has which volume Kubernetes knows. */
async function lookAtStopped(ssh: SshConnection, location: ClusterLocation): Promise<StoppedData[]> {
    const { namespace, cluster, instances } = location;
    const { stdout } = await kubectl(ssh, `-n ${namespace} get statefulset ${cluster} -o json`);
    const set = JSON.parse(stdout) as InstanceSet;
    const claimed = await namesOf(ssh, `-n ${namespace} get persistentvolumeclaims`);
    const readable = instances.filter((instance) => claimsOf(set, instance).every(({ name }) => claimed.has(name)));
    const pods = readable.map((instance) => ({ instance, pod: `${instance}-look` }));
    if (pods.length === 0) {
        return [];
    }
    const names = pods.map(({ pod }) => pod).join(" ");
    const remove = () =>
        kubectl(ssh, `-n ${namespace} delete pods ${names} --ignore-not-found --grace-period=1 --wait=true`);
    // Of an update that was broken off.
    await remove();
    try {
        const items = pods.map(({ instance, pod }) => reader(set, location, instance, pod));
        const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items });
        await kubectl(ssh, "create -f -", { stdin });
        await waitFor(`the volumes of ${cluster}`, lookSeconds, async () => {
            const columns = "custom-columns=NAME:.metadata.name,PHASE:.status.phase --no-headers";
            const phases = await kubectl(ssh, `-n ${namespace} get pods ${names} -o ${columns}`);
            const left = phases.stdout.split("\n").filter((line) => line !== "" && !/ Succeeded$/.test(line.trimEnd()));
            return left.length === 0 ? { done: true } : { waiting: left.join(", ").replaceAll(/ +/g, " ") };
        });
        return await Promise.all(
            pods.map(async ({ instance, pod }) => {
                const said = await kubectl(ssh, `-n ${namespace} logs ${pod}`);
                const [state = "", timeline = "0", ...waiting] = said.stdout.trim().split("\n");
                return {
                    instance,
                    state,
                    timeline: Number(timeline),
                    waiting: waiting.filter((name) => isRead.test(name)),
                };
            }),
        );
    } finally {
        await remove();
    }
}

async function namesOf(ssh: SshConnection, get: string): Promise<Set<string>> {
    const { stdout } = await kubectl(ssh, `${get} --no-headers -o custom-columns=NAME:.metadata.name`);
    return new Set(stdout.split("\n").map((line) => line.trim()));
}

/** As far as it is needed here. */
interface InstanceSet {
    spec: {
        volumeClaimTemplates: { metadata: { name: string } }[];
        template: {
            spec: {
                securityContext: object;
                tolerations: object[];
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
function reader(set: InstanceSet, { namespace }: ClusterLocation, instance: string, name: string): object {
    const { securityContext, tolerations, containers } = set.spec.template.spec;
    const claims = claimsOf(set, instance);
    const postgresql = containers.find((container) => container.name === "postgresql");
    if (postgresql === undefined) {
        throw new Error(`the set of ${instance} has no container postgresql`);
    }
    return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace },
        spec: {
            restartPolicy: "Never",
            activeDeadlineSeconds: lookSeconds,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext,
            tolerations,
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
