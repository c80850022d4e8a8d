import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "./cluster";

/** Logs of etcd and PostgreSQL on every machine since a moment, for the round that needs an explanation. */
export async function keepEvidence(cluster: Cluster, folder: string, since: Date): Promise<string> {
    mkdirSync(folder, { recursive: true });
    const { namespace, machines } = cluster.state;
    // The container runtime begins each line with its time, so that the order of names is no concern.
    const read =
        `find /var/log/pods/${namespace}_* -name '*.log*' ! -name '*.gz' | xargs -r awk -v since='${since.toISOString()}' ` +
        `'$1 >= since { split(FILENAME, part, "/"); print part[5], $0 }' | sort -k2,2 | tail -n 20000`;
    await Promise.all(
        machines.map(async ({ name, access }) => {
            const ssh = await cluster.tunnel.ssh(access).catch(() => undefined);
            const { stdout } = (await ssh?.run(read, { allowFailure: true }).catch(() => undefined)) ?? {
                stdout: "the machine cannot be reached\n",
            };
            writeFileSync(join(folder, `${name}.log`), stdout);
        }),
    );
    const seen = await cluster.observe().catch((error: Error) => error.message);
    writeFileSync(join(folder, "status.json"), JSON.stringify(seen, undefined, 2));
    return folder;
}
