import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { kubectl, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh } from "../machines/ssh";
import { step } from "../progress";
import type { StepProvider } from "../step";
import { backupPaths } from "./config";
import type { RestoreRequest } from "./restore";
import { runInImage } from "./run-in-image";

export interface RestoreCheckInputs {
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
 * Asks whether a restore could begin before its request is written down: afterwards every instance would be stopped for
 * it. Only a request that is new is asked about: a store that is down later holds up no update.
 */
export const provider: StepProvider<RestoreCheckInputs> = {
    async create(inputs) {
        await check(inputs);
        return { id: inputs.cluster, outs: inputs };
    },
    diff: (_id, olds, news) =>
        Promise.resolve({ changed: !isDeepStrictEqual(olds.request, news.request), replaces: [] }),
    async update(_id, _olds, news) {
        await check(news);
        return news;
    },
};

const nothingChanged = "Nothing was stopped or changed";

async function check(inputs: RestoreCheckInputs): Promise<void> {
    const { cluster, request } = inputs;
    await step(cluster, `restore ${request.generation}: asking the repository whether it can begin`, async () => {
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
    });
}

type Answer = { refused: string } | { refused?: undefined; bytes: number };

/** Lists and reads; pgBackRest tries again for a while where a store answers with errors. */
const limitSeconds = 120;

/** On the first machine that can: what the repository answers does not depend on which one it is. */
async function ask(inputs: RestoreCheckInputs): Promise<Answer> {
    const failures: string[] = [];
    for (const machine of inputs.machines) {
        const id = `postgres-ha-restore-check-${randomBytes(6).toString("hex")}`;
        const scratch = [backupPaths.config, backupPaths.request];
        const script = renderRestoreCheck(inputs);
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
export function renderRestoreCheck({
    files,
    request,
    cluster,
}: Pick<RestoreCheckInputs, "files" | "request" | "cluster">): string {
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
async function freeSpace({ servers, namespace, instances }: RestoreCheckInputs): Promise<FreeSpace[]> {
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
