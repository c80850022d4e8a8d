import { docker } from "../../docker-cli";
import { waitForServer } from "../../k3s/cluster-access";
import { unitName } from "../../k3s/installation";
import { step } from "../../progress";
import { inputDiff, type StepProvider } from "../../step";
import type { MachineAccess } from "../machine";
import { waitForBoot, withSsh, type SshConnection } from "../ssh";

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
        await waitForApi(access);
    });
}

/** Seconds after which an update goes on without it. */
const apiPatience = 90;

/**
 * Of a server. When every machine was off, what follows asks the Kubernetes API at once, and the kubernetes provider takes
 * a refused connection for good: it would leave out every object's change of this update.
 */
async function waitForApi(access: MachineAccess): Promise<void> {
    const enabled = (ssh: SshConnection) =>
        ssh.run(`systemctl is-enabled --quiet ${unitName({ role: "server" })}`, { allowFailure: true });
    if ((await withSsh(access, enabled)).exitCode !== 0) return;
    await waitForServer([access], apiPatience).catch((error: unknown) => {
        console.log(`${access.name}: ${(error as Error).message}; going on without it`);
    });
}
