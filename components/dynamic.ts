import * as pulumi from "@pulumi/pulumi";

/**
 * A dynamic resource whose every call goes to the `provider` exported by a module of the project (step.ts).
 *
 * The SDK's own class serialises a provider object: that loads the TypeScript compiler and takes a tenth of a second
 * for each, in every update. Here the text is written down, the same few lines for every module: nothing is
 * serialised, the state holds no code of ours and no absolute path, and an edit of a module shows no change.
 */
export class StepResource extends pulumi.CustomResource {
    /**
     * @param modulePath module of the step, relative to the project
     * @param type name of the resource type
     */
    constructor(
        modulePath: string,
        type: string,
        name: string,
        props: pulumi.Inputs,
        opts: pulumi.CustomResourceOptions = {},
    ) {
        super(
            `pulumi-nodejs:dynamic/postgresha:${type}`,
            name,
            { ...props, __provider: providerText(modulePath) },
            // Said by every diff as well; `pulumi up --replace` asks none, and names and addresses are fixed.
            pulumi.mergeOptions({ deleteBeforeReplace: true }, opts),
        );
    }
}

/** What the SDK's provider process evaluates: plain JavaScript, whose only way to a module is `require`. */
const providerText = (modulePath: string): string => `exports.handler = () => {
    const load = () => {
        const projectRequire = require("module").createRequire(process.cwd() + "/package.json");
        projectRequire("tsx/cjs");
        return projectRequire(${JSON.stringify(modulePath)}).provider;
    };
    return {
        create: (inputs) => load().create(inputs),
        read: async (id, props) => {
            const step = load();
            const found = step.read ? await step.read(id, props) : props;
            return found ? { id, props: found } : { id: "", props: {} };
        },
        diff: async (id, olds, news) => {
            const { changed, replaces } = await load().diff(id, olds, news);
            return { changes: changed, replaces, deleteBeforeReplace: true };
        },
        update: async (id, olds, news) => ({ outs: await load().update(id, olds, news) }),
        delete: async (id, props) => {
            const step = load();
            if (step.delete) await step.delete(id, props);
        },
    };
};
`;
