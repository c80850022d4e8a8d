import { inputDiff, type StepProvider } from "./step";

export interface MemberCountInputs {
    /** The setting, as a person writes it: `etcd.members`. */
    setting: string;
    count: number;
}

/**
 * How many members a StatefulSet has. Fewer than before are refused, in the preview already: Kubernetes would delete the
 * last ones at once, the primary with its synchronous standby or a majority of etcd's voters among them.
 */
export const provider: StepProvider<MemberCountInputs> = {
    create: (inputs) => Promise.resolve({ id: inputs.setting, outs: inputs }),
    async diff(_id, olds, news) {
        refuseFewer(olds, news);
        return Promise.resolve(inputDiff(olds, news));
    },
    async update(_id, olds, news) {
        refuseFewer(olds, news);
        return Promise.resolve(news);
    },
};

function refuseFewer(olds: MemberCountInputs, { setting, count }: MemberCountInputs): void {
    if (count < olds.count) {
        throw new Error(
            `${setting}: ${count} is fewer than the ${olds.count} there are, and the last ones would be deleted at once, ` +
                `whatever they are needed for. Nothing was changed. Set it to ${olds.count}, or make a stack of ${count} ` +
                "from this one's repository (docs/runbooks/clone.md). If the others never came up, take this count out of " +
                "the state (pulumi state delete, the resource of type MemberCount) and run the update again",
        );
    }
}
