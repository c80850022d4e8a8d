import type * as pulumi from "@pulumi/pulumi";
import type { StepProvider } from "./step";

/**
 * A dynamic provider that hands every call to the `provider` exported by `modulePath`, relative to the project.
 * Its closure holds only that path: serialising takes a third of the time of a whole class, the state holds no
 * code and no absolute path, and an edit of the module shows no change on any resource.
 */
export function stepProvider(modulePath: string): pulumi.dynamic.ResourceProvider {
    const provider = providers.get(modulePath) ?? createProvider(modulePath);
    providers.set(modulePath, provider);
    return provider;
}

/** The SDK serialises each provider object once: one per module, not one per resource. */
const providers = new Map<string, pulumi.dynamic.ResourceProvider>();

function createProvider(modulePath: string): pulumi.dynamic.ResourceProvider {
    const load = () => {
        // The provider process runs plain JavaScript from a string: its only way to a module is `require`.
        // eslint-disable-next-line @typescript-eslint/no-require-imports
        const { createRequire } = require("module") as { createRequire: (path: string) => NodeJS.Require };
        const projectRequire = createRequire(process.cwd() + "/package.json");
        projectRequire("tsx/cjs");
        return (projectRequire(modulePath) as { provider: Required<StepProvider<object>> }).provider;
    };
    return {
        create: (inputs: object) => load().create(inputs),
        read: async (id: string, props: object) => {
            const step = load();
            const found = step.read ? await step.read(id, props) : props;
            return found ? { id, props: found } : { id: "", props: {} };
        },
        diff: async (id: string, olds: object, news: object) => {
            const { changed, replaces } = await load().diff(id, olds, news);
            return { changes: changed, replaces, deleteBeforeReplace: true };
        },
        update: async (id: string, olds: object, news: object) => ({ outs: await load().update(id, olds, news) }),
        delete: async (id: string, props: object) => {
            const step = load();
            if (step.delete) {
                await step.delete(id, props);
            }
        },
    };
}
