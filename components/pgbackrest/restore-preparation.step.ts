import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { kubectl, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh } from "../machines/ssh";
import { startStopped, stopInstances } from "../patroni/stopping";
import { step } from "../progress";
import type { StepProvider } from "../step";
import { backupPaths } from "./config";
import type { RestoreRequest } from "./restore";
import { runInImage } from "./run-in-image";

export interface RestorePreparationInputs {
    cluster: string;
    namespace: string;
    instances: string[];
    request: RestoreRequest;
    /** What the instances will read, by name: settings of both repositories, authorities of their certificates. */
    files: Record<string, string>;
    /** Machines with the image on them. */
    machines: MachineAccess[];
    servers: MachineAccess[];
    /** Image that holds pgBackRest and the bootstrap. */
    image: string;
}

/**
 * Asks whether a restore could begin, and stops the instances for it, before its request and the settings that come with
 * it are written down. Nobody may read them earlier: an instance that restarts would follow the request, and a primary
 * would archive into a repository that is not the one of its history. Only a request that is new is asked about: a store
 * that is down later holds up no update. PatroniState starts the instances again.
 */
export const provider: StepProvider<RestorePreparationInputs> = {
    async create(inputs) {
        await prepare(inputs);
        return { id: inputs.cluster, outs: inputs };
    },
    diff: (_id, olds, news) =>
        Promise.resolve({ changed: !isDeepStrictEqual(olds.request, news.request), replaces: [] }),
    async update(_id, _olds, news) {
        await prepare(news);
        return news;
    },
};

const nothingChanged = "Nothing was stopped or changed";

async function prepare(inputs: RestorePreparationInputs): Promise<void> {
    if (!(await isWanted(inputs))) {
        return;
    }
    const server = await waitForServer(inputs.servers);
    await withSsh(server, async (ssh) => {
        try {
            await stopInstances(ssh, inputs, `restore ${inputs.request.generation}`);
        } catch (error) {
            await startStopped(ssh, inputs);
            throw error;
        }
    });
}

/** Refuses a restore that cannot begin; false for one that was carried out already. */
function isWanted(inputs: RestorePreparationInputs): Promise<boolean> {
    const { cluster, request } = inputs;
    return step(cluster, `restore ${request.generation}: asking the repository whether it can begin`, async () => {
        const answer = await ask(inputs);
        if (answer.refused !== undefined) {
            throw new Error(`restore: ${answer.refused}. ${nothingChanged}`);
        }
        const tight = (await freeSpace(inputs)).filter(({ bytes }) => bytes < answer.bytes);
        if (tight.length > 0) {
            const volumes = tight.map(({ instance, bytes }) => `${instance} ${mebibytes(bytes)}`).join(", ");
            throw new Error(
                `restore: it needs ${mebibytes(answer.bytes)} free on each volume, beside the data of today: ${volumes}. ` +
                    `An earlier data directory may lie there: see docs/runbooks/restore-in-place.md. ${nothingChanged}`,
            );
        }
        return answer.bytes > 0;
    });
}

/** Bytes that the restored data takes; 0: it was carried out already. */
type Answer = { refused: string } | { refused?: undefined; bytes: number };

/** Lists and reads; pgBackRest tries again for a while where a store answers with errors. */
const limitSeconds = 120;

/** On the first machine that can: what the repository answers does not depend on which one it is. */
async function ask(inputs: RestorePreparationInputs): Promise<Answer> {
    const failures: string[] = [];
    for (const machine of inputs.machines) {
        const id = `postgres-ha-restore-check-${randomBytes(6).toString("hex")}`;
        const scratch = [backupPaths.config, backupPaths.request];
        const script = renderCheck(inputs);
        const said = await runInImage(machine, { image: inputs.image, id, script, limitSeconds, scratch }).then(
            ({ stdout, stderr, exitCode }) =>
                parse(stdout) ?? (exitCode === 124 ? `no end after ${limitSeconds} s` : stderr.trim()),
            (error: unknown) => (error as Error).message,
        );
        if (typeof said !== "string") {
            return said;
        }
        failures.push(`${machine.name}: ${said}`);
    }
    throw new Error(
        `restore: the repository could be asked from no machine: ${failures.join("; ")}. ${nothingChanged}`,
    );
}

function parse(output: string): Answer | undefined {
    const last = output.trim().split("\n").at(-1) ?? "";
    return last.startsWith("{") ? (JSON.parse(last) as Answer) : undefined;
}

/** A script for bash's standard input: contents are in no argument. */
export function renderCheck({
    files,
    request,
    cluster,
}: Pick<RestorePreparationInputs, "files" | "request" | "cluster">): string {
    const write = (path: string, text: string) => `cat > ${path} <<'END-OF-FILE'\n${text.trimEnd()}\nEND-OF-FILE\n`;
    return [
        `umask 077\nexport BACKUP_STANZA=${cluster}\n`,
        ...Object.entries(files).map(([name, text]) => write(`${backupPaths.config}/${name}`, text)),
        write(`${backupPaths.request}/restore.json`, JSON.stringify(request)),
        // Its own input would be the rest of this script.
        "cd /usr/local/lib/postgres-ha && python3 -m backup.restore_check </dev/null\nexit\n",
    ].join("");
}

interface FreeSpace {
    instance: string;
    bytes: number;
}

/** Of the instances that there are; one that cannot be asked is the bootstrap's to judge. */
async function freeSpace({ servers, namespace, instances }: RestorePreparationInputs): Promise<FreeSpace[]> {
    const server = await waitForServer(servers);
    return withSsh(server, async (ssh) => {
        const found = await Promise.all(
            instances.map(async (instance) => {
                const look = `-n ${namespace} exec ${instance} -c postgresql -- df --output=avail -B1 /data`;
                const { exitCode, stdout } = await kubectl(ssh, look, { allowFailure: true });
                const bytes = Number(stdout.trim().split("\n").at(-1));
                return exitCode === 0 && Number.isFinite(bytes) ? [{ instance, bytes }] : [];
            }),
        );
        return found.flat();
    });
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
