import { isDeepStrictEqual } from "node:util";
import { kubectl, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh } from "../machines/ssh";
import { printRestoreGeneration } from "../patroni/config";
import { hasInstances, refuseMissing, startStopped, stopInstances } from "../patroni/stopping";
import { step } from "../progress";
import type { StepProvider } from "../step";
import { askRepository } from "./ask-repository";
import type { RestoreRequest } from "./restore";

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
        await prepare(inputs, true);
        return { id: inputs.cluster, outs: inputs };
    },
    diff: (_id, olds, news) =>
        Promise.resolve({ changed: !isDeepStrictEqual(olds.request, news.request), replaces: [] }),
    async update(_id, olds, news) {
        await prepare(news, news.request.generation > olds.request.generation);
        return news;
    },
};

const nothingChanged = "Nothing was stopped or changed";

/** `isRaised`: its generation is higher than any that this state knows. */
async function prepare(inputs: RestorePreparationInputs, isRaised: boolean): Promise<void> {
    const answer = await isWanted(inputs);
    const server = await waitForServer(inputs.servers);
    await withSsh(server, async (ssh) => {
        if (answer.bytes === 0) {
            if (isRaised && (await hasInstances(ssh, inputs))) {
                throw new Error(carriedOut(inputs, answer));
            }
            return;
        }
        try {
            const why = `restore ${inputs.request.generation}`;
            const archived = await stopInstances(ssh, inputs, why);
            if (archived !== undefined) {
                await refuseMissing(ssh, inputs, why, archived);
            }
        } catch (error) {
            // Not in the place of what is wrong: a set that cannot be started now is looked at by the next update.
            await startStopped(ssh, inputs).catch((why: unknown) => console.log(`${inputs.cluster}: ${String(why)}`));
            throw error;
        }
    });
}

/** A repository that outlived a stack's state remembers what the state does not. */
const carriedOut = ({ request }: RestorePreparationInputs, { carriedOut: last }: Wanted): string =>
    `restore.generation: restore ${request.generation} was carried out on this repository already (the last one is ${last}); ` +
    `use ${last + 1} for another, or remove \`restore\`. ${nothingChanged}`;

/** Refuses a restore that cannot begin. */
function isWanted(inputs: RestorePreparationInputs): Promise<Wanted> {
    const { cluster, request } = inputs;
    return step(cluster, `restore ${request.generation}: asking the repository whether it can begin`, async () => {
        const { cluster: stanza, machines, image, files } = inputs;
        const question = { stanza, machines, image, files, request, module: "restore_check" };
        const answer = await askRepository<Answer>(question).catch((error: unknown) => {
            throw new Error(`restore: ${(error as Error).message}. ${nothingChanged}`, { cause: error });
        });
        if (answer.refused !== undefined) {
            throw new Error(`restore: ${answer.refused}. ${nothingChanged}`);
        }
        const volumes = await lookAtVolumes(inputs);
        const seen = Math.max(0, ...volumes.map(({ generation }) => generation));
        if (answer.bytes > 0 && seen > request.generation) {
            throw new Error(
                `restore.generation: the volumes have seen restore ${seen}, and would ignore ${request.generation}; ` +
                    `use ${seen + 1}. ${nothingChanged}`,
            );
        }
        const tight = volumes.filter(({ bytes }) => bytes < answer.bytes);
        if (tight.length > 0) {
            const list = tight.map(({ instance, bytes }) => `${instance} ${mebibytes(bytes)}`).join(", ");
            throw new Error(
                `restore: it needs ${mebibytes(answer.bytes)} free on each volume, beside the data of today: ${list}. ` +
                    `An earlier data directory may lie there: see docs/runbooks/restore-in-place.md. ${nothingChanged}`,
            );
        }
        return answer;
    });
}

interface Wanted {
    refused?: undefined;
    /** That the restored data takes; 0: it was carried out already. */
    bytes: number;
    /** Highest generation that was carried out on this repository. */
    carriedOut: number;
}

type Answer = { refused: string } | Wanted;

interface Volume {
    instance: string;
    /** That are free. */
    bytes: number;
    /** The last restore that it has seen (patroni/image/backup/set_aside.py). */
    generation: number;
}

/** Of the instances that there are; one that cannot be asked is the bootstrap's to judge. */
async function lookAtVolumes({ servers, namespace, instances }: RestorePreparationInputs): Promise<Volume[]> {
    const server = await waitForServer(servers);
    return withSsh(server, async (ssh) => {
        const found = await Promise.all(
            instances.map(async (instance) => {
                const { exitCode, stdout } = await kubectl(
                    ssh,
                    `-n ${namespace} exec -i ${instance} -c postgresql -- bash`,
                    {
                        allowFailure: true,
                        stdin: `df --output=avail -B1 /data | tail -n 1; ${printRestoreGeneration}\n`,
                    },
                );
                const [bytes = NaN, generation = NaN] = stdout.trim().split(/\s+/).map(Number);
                return exitCode === 0 && Number.isFinite(bytes + generation) ? [{ instance, bytes, generation }] : [];
            }),
        );
        return found.flat();
    });
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
