import { docker } from "../../docker-cli";
import { step } from "../../progress";
import { inputDiff, type StepProvider } from "../../step";

export interface MachineImageInputs {
    /** Full reference; its tag is the digest of the build context. */
    reference: string;
    /** Folder of the Dockerfile, relative to the project. */
    context: string;
}

/** The image a docker machine boots from: built once, found again by its tag. It stays when the stack goes. */
export const provider: StepProvider<MachineImageInputs> = {
    async create(inputs) {
        await build(inputs);
        return { id: inputs.reference, outs: inputs };
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news);
        return diff.changed || (await isPresent(news)) ? diff : { changed: true, replaces: [] };
    },
    async update(_id, _olds, news) {
        await build(news);
        return news;
    },
};

async function build(image: MachineImageInputs): Promise<void> {
    if (!(await isPresent(image))) {
        await step("machine image", "building", () =>
            docker(["build", "--network", "host", "--tag", image.reference, image.context]),
        );
    }
}

const isPresent = async ({ reference }: MachineImageInputs): Promise<boolean> =>
    (await docker(["image", "ls", "--quiet", reference])) !== "";
