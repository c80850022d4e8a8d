import { setTimeout as sleep } from "node:timers/promises";
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
 * both are known, and a store that does not answer refuses nothing but a passphrase that is not the one of before.
 * For a stack that is new the repository must not be another cluster's that lives: what either of them acknowledges from then
 * on the other's next restore would leave behind.
 */
export const provider: StepProvider<PassphraseCheckInputs> = {
    async create(inputs) {
        const answer = await check(inputs);
        await refuseLivingCluster(inputs.stanza, answer, () => ask(inputs));
        return { id: inputs.stanza, outs: inputs };
    },
    diff: (_id, olds, news) => Promise.resolve({ changed: !isDeepStrictEqual(asked(olds), asked(news)), replaces: [] }),
    async update(_id, olds, news) {
        const { fits } = await check(news);
        if (fits === undefined && olds.passphrase !== news.passphrase) {
            throw new Error(
                "backup.passphrase: it is not the one of before, and the repository does not say whether it is its own (see " +
                    "above). Run the update again when the store answers. Nothing was changed",
            );
        }
        return news;
    },
};

/** Another repository may be encrypted otherwise, under the passphrase of today too. */
const asked = ({ passphrase, files }: PassphraseCheckInputs): unknown[] => [passphrase, files["pgbackrest.conf"]];

/** `unknown`: the repository does not say. */
export type Answer = ({ fits: boolean } & Partial<Newest>) | { fits?: undefined; unknown: string };

interface Newest {
    /** The newest segment in the archive, and when it was uploaded, in seconds since 1970. */
    newest: string;
    uploaded: number;
}

const ask = ({ stanza, files, machines, image }: PassphraseCheckInputs): Promise<Answer> =>
    askRepository<Answer>({ stanza, machines, image, files, module: "passphrase_check" }).catch((error: unknown) => ({
        unknown: (error as Error).message,
    }));

/** Longer than a cluster that lives is silent: its canary is written every minute, and archive_timeout is one. */
const silenceSeconds = 150;
const lookEveryMs = 15_000;

/** Waits only where the newest segment is so new that its cluster may live. */
export async function refuseLivingCluster(
    stanza: string,
    seen: Answer,
    askAgain: () => Promise<Answer>,
    everyMs = lookEveryMs,
): Promise<void> {
    if (seen.fits !== true || seen.newest === undefined) return;
    // By this host's clock and the store's, which may differ; never longer than a living cluster could be silent.
    const age = Math.max(0, Date.now() / 1000 - (seen.uploaded ?? 0));
    const end = Date.now() + 1000 * (silenceSeconds - age);
    if (Date.now() >= end) return;
    const what = `the newest segment in the archive is ${Math.round(age)} s old: waiting whether a cluster lives there`;
    await step(stanza, what, async () => {
        while (Date.now() < end) {
            await sleep(everyMs);
            const now = await askAgain();
            if (now.fits === true && now.newest !== seen.newest) {
                throw new Error(
                    `backup.repository: another cluster archives into it (segment ${now.newest} has just arrived). Choose ` +
                        "another backup.repository.path; to begin with that cluster's data, name its repository in " +
                        "restore.from. Nothing was changed",
                );
            }
        }
    });
}

function check(inputs: PassphraseCheckInputs): Promise<Answer> {
    const { stanza } = inputs;
    return step(stanza, "reading the repository with this passphrase", async () => {
        const answer = await ask(inputs);
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
        return answer;
    });
}
