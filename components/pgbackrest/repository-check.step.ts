import { randomBytes } from "node:crypto";
import type { MachineAccess } from "../machines/machine";
import { RemoteError } from "../machines/ssh";
import { step } from "../progress";
import { changedInputs, type StepProvider } from "../step";
import type { KnownRepository } from "./repository-options";
import { explainProbe, renderProbe } from "./repository-probe";
import { runInImage } from "./run-in-image";

export interface RepositoryCheckInputs {
    repository: KnownRepository;
    /** Machines that use the repository, with the image on them. */
    machines: MachineAccess[];
    /** Image that holds pgBackRest. */
    image: string;
}

/**
 * Proves that the bucket can be written, read and cleaned from where it will be used: on the machines, by pgBackRest
 * in the image the instances run. It runs when the repository is new or changed and not otherwise: a store that is
 * down later must hold up no update.
 */
export const provider: StepProvider<RepositoryCheckInputs> = {
    async create(inputs) {
        await check(inputs);
        return { id: inputs.repository.bucket, outs: inputs };
    },
    diff: (_id, olds, news) =>
        Promise.resolve({ changed: changedInputs(olds, news).includes("repository"), replaces: [] }),
    async update(_id, _olds, news) {
        await check(news);
        return news;
    },
};

async function check({ repository, machines, image }: RepositoryCheckInputs): Promise<void> {
    const { host, bucket } = repository;
    await step(`bucket ${bucket} on ${host}`, `checking from ${machines.length} machines`, async () => {
        const outcomes = await Promise.all(machines.map((machine) => probe(machine, repository, image)));
        const refused = outcomes.find((outcome) => outcome instanceof ProbeError);
        const error = refused ?? (outcomes.includes("passed") ? undefined : outcomes[0]);
        if (error instanceof Error) {
            throw error;
        }
    });
}

/** Four requests that take a second; pgBackRest itself would try for minutes. */
const limitSeconds = 60;

class ProbeError extends RemoteError {}

/** A machine that does not answer is for other steps to complain about: another one tells the same. */
async function probe(machine: MachineAccess, repository: KnownRepository, image: string): Promise<"passed" | Error> {
    const id = `postgres-ha-probe-${randomBytes(6).toString("hex")}`;
    try {
        const { stdout, stderr, exitCode } = await runInImage(machine, {
            ...{ image, id, limitSeconds },
            script: renderProbe(repository, id),
        });
        const output = stdout.trim();
        if (output === "passed") {
            return "passed";
        }
        const said = exitCode === 124 ? `no end after ${limitSeconds} s` : stderr.trim();
        const reason = output === "" ? `the probe did not run: ${said}` : explainProbe(repository, output);
        return new ProbeError(machine, "backup.repository", reason);
    } catch (error) {
        console.log(`${machine.name}: the repository cannot be tried from here: ${(error as Error).message}`);
        return error as Error;
    }
}
