import { ask, askJson, type Question } from "../../components/https";
import { backupRunnerName, ports } from "../../components/naming";
import type { RunnerStatus } from "../../components/pgbackrest/runner-api";
import type { BackupAccess, StackState } from "./stack-state";
import type { Tunnel } from "./tunnel";

/** What the backup runner says; a text when it does not answer; undefined in a stack without backups. */
export type BackupProbe = RunnerStatus | { problem: string; silent: true } | undefined;

export async function probeBackup(state: StackState, tunnel: Tunnel, timeoutMs = 4000): Promise<BackupProbe> {
    if (state.backup === undefined) {
        return state.outputs.backup === undefined
            ? undefined
            : { problem: "its Service is not in the state, `make up` makes it", silent: true };
    }
    const question = await toRunner(state, state.backup, tunnel, timeoutMs).catch((error: unknown) => error as Error);
    if (question instanceof Error) {
        return { problem: question.message, silent: true };
    }
    return askJson<RunnerStatus>({ ...question, path: "/status" }).catch((error: unknown) => ({
        problem: (error as Error).message,
        silent: true,
    }));
}

/** Asks the runner to do something; it answers at once, and the work shows in its status. */
export async function tellRunner(state: StackState, tunnel: Tunnel, path: string): Promise<void> {
    if (state.backup === undefined) {
        throw new Error("this stack has no backups");
    }
    await ask({ ...(await toRunner(state, state.backup, tunnel, 5000)), method: "POST", path });
}

async function toRunner(
    state: StackState,
    { address, tls }: BackupAccess,
    tunnel: Tunnel,
    timeoutMs: number,
): Promise<Question> {
    const stream = await tunnel.connect(address, ports.backupRunner, timeoutMs);
    // The certificate is for the Service's name, the way leads to its address.
    const host = backupRunnerName(state.cluster);
    return { host, port: ports.backupRunner, path: "/", tls, stream, timeoutMs };
}
