import { docker } from "../../docker-cli";
import { dockerLabels } from "../../naming";
import { inputDiff, type StepProvider } from "../../step";

export interface DockerVolumeInputs {
    name: string;
    /** Value of the stack label. */
    stack: string;
}

/** A volume that outlives the machine it is mounted on; only the end of the stack deletes it, with what is on it. */
export const provider: StepProvider<DockerVolumeInputs> = {
    async create(inputs) {
        await ensure(inputs);
        return { id: inputs.name, outs: inputs };
    },
    async read(_id, volume) {
        return (await isPresent(volume)) ? volume : undefined;
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, ["name", "stack"]);
        return diff.changed || (await isPresent(olds)) ? diff : { changed: true, replaces: [] };
    },
    async update(_id, _olds, news) {
        await ensure(news);
        return news;
    },
    async delete(_id, { name }) {
        await docker(["volume", "rm", "--force", name]);
    },
};

/** Of an existing one the content is kept: `docker volume create` leaves it as it is. */
async function ensure({ name, stack }: DockerVolumeInputs): Promise<void> {
    await docker(["volume", "create", "--label", `${dockerLabels.stack}=${stack}`, name]);
}

const isPresent = async ({ name }: DockerVolumeInputs): Promise<boolean> =>
    (await docker(["volume", "ls", "--quiet", "--filter", `name=^${name}$`])) === name;
