import { docker } from "../../docker-cli";
import { step } from "../../progress";
import { inputDiff, type StepProvider } from "../../step";
import type { MachineAccess } from "../machine";
import { waitForBoot } from "../ssh";

export interface PowerInputs {
    container: string;
    access: MachineAccess;
}

/**
 * Keeps a machine switched on. A resource of its own, because an update of the machine itself would make its
 * identity unknown in previews and everything on it look replaced.
 */
export const provider: StepProvider<PowerInputs> = {
    async create(inputs) {
        await switchOn(inputs);
        return { id: inputs.container, outs: inputs };
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, ["container"]);
        return diff.changed || (await state(news.container)) === "running" ? diff : { changed: true, replaces: [] };
    },
    async update(_id, _olds, news) {
        await switchOn(news);
        return news;
    },
};

const state = (container: string): Promise<string> =>
    docker(["container", "inspect", "--format", "{{.State.Status}}", container], { allowFailure: true });

async function switchOn({ container, access }: PowerInputs): Promise<void> {
    const found = await state(container);
    if (found === "running") {
        return;
    }
    await step(access.name, found === "paused" ? "resuming" : "starting", async () => {
        await docker([found === "paused" ? "unpause" : "start", container]);
        await waitForBoot(access);
    });
}
