import { isDeepStrictEqual } from "node:util";
import type { MachineAccess } from "../machines/machine";
import { step } from "../progress";
import type { StepProvider } from "../step";
import { askRepository } from "./ask-repository";

export interface PassphraseCheckInputs {
    stanza: string;
    passphrase: string;
    /** What the instances will read, by name. */
    files: Record<string, string>;
    /** Machines with the image on them. */
    machines: MachineAccess[];
    /** Image that holds pgBackRest. */
    image: string;
}

/**
 * Reads what the repository holds with the passphrase, when either is new, before the Secrets of a running cluster are
 * overwritten with it: with another one archiving would end, and the old one could be nowhere else. Nothing is asked when
 * both are known, and a store that does not answer refuses nothing.
 */
export const provider: StepProvider<PassphraseCheckInputs> = {
    async create(inputs) {
        await check(inputs);
        return { id: inputs.stanza, outs: inputs };
    },
    diff: (_id, olds, news) => Promise.resolve({ changed: !isDeepStrictEqual(asked(olds), asked(news)), replaces: [] }),
    async update(_id, _olds, news) {
        await check(news);
        return news;
    },
};

/** Another repository may be encrypted otherwise, under the passphrase of today too. */
const asked = ({ passphrase, files }: PassphraseCheckInputs): unknown[] => [passphrase, files["pgbackrest.conf"]];

/** `unknown`: the repository does not say. */
type Answer = { fits: boolean } | { fits?: undefined; unknown: string };

function check({ stanza, files, machines, image }: PassphraseCheckInputs): Promise<void> {
    return step(stanza, "reading the repository with this passphrase", async () => {
        const question = { stanza, machines, image, files, module: "passphrase_check" };
        const answer = await askRepository<Answer>(question).catch((error: unknown) => ({
            fits: undefined,
            unknown: (error as Error).message,
        }));
        if (answer.fits === false) {
            throw new Error(
                "backup.passphrase: what the repository holds is encrypted with another passphrase. Give that one " +
                    "(`pulumi config set --secret backupPassphrase`; docs/runbooks/lost-passphrase.md says where it may be), " +
                    "or choose another backup.repository.path. Nothing was changed",
            );
        }
        if (answer.fits === undefined) {
            console.log(`${stanza}: whether the passphrase is the repository's is not known: ${answer.unknown}`);
        }
    });
}
