import { readyServer, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh, type SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { changedInputs, type StepProvider } from "../step";
import { askRunner, type RunnerStatus } from "./runner-api";

export interface BackupStateInputs {
    cluster: string;
    namespace: string;
    repository: string;
    runner: string;
    servers: MachineAccess[];
}

export interface BackupStatus {
    /** A segment of WAL has reached the repository. */
    archiving: boolean;
    /** Up to when the newest backup can be rolled; empty while there is none. */
    latestRecoverableTime: string;
}

export interface BackupStateOutputs extends BackupStateInputs {
    status: BackupStatus;
}

/** Ends when WAL arrives in the repository. The first backup goes on by itself: it may take hours. */
export const provider: StepProvider<BackupStateInputs, BackupStateOutputs> = {
    async create(inputs) {
        return { id: inputs.cluster, outs: { ...inputs, status: await untilArchiving(inputs) } };
    },
    async read(_id, state) {
        const server = await readyServer(state.servers);
        const seen = server ? await withSsh(server, (ssh) => askRunner(ssh, state)).catch(() => undefined) : undefined;
        return { ...state, status: seen ? summarise(seen) : { ...state.status, archiving: false } };
    },
    diff(_id, olds, news) {
        const changed = changedInputs(olds, news).filter((key) => key !== "servers");
        return Promise.resolve({ changed: changed.length > 0, replaces: [] });
    },
    async update(_id, _olds, news) {
        return { ...news, status: await untilArchiving(news) };
    },
};

/** A store that is down is no outage: the update ends all the same, and says what it saw. */
async function untilArchiving(inputs: BackupStateInputs): Promise<BackupStatus> {
    const server = await waitForServer(inputs.servers);
    return withSsh(server, (ssh) =>
        step(inputs.cluster, "waiting for the first archived WAL in the repository", () => archiving(ssh, inputs)),
    );
}

async function archiving(ssh: SshConnection, inputs: BackupStateInputs): Promise<BackupStatus> {
    const seen = await waitFor<RunnerStatus>("backups", 600, async () => {
        const status = await askRunner(ssh, inputs).catch((error: unknown) => (error as Error).message);
        if (typeof status === "string") {
            return { waiting: status };
        }
        if (status.repository !== inputs.repository) {
            return { waiting: `the runner still watches ${status.repository}` };
        }
        if (status.otherDatabase) {
            throw new Error(`backup.repository: ${status.problem}`);
        }
        if (status.reachable === false) {
            console.log(`${inputs.cluster}: backups wait: ${status.problem}`);
            return { done: status };
        }
        return status.archive?.newest && (status.running ?? status.lastJob)
            ? { done: status }
            : { waiting: "no segment of WAL has been archived and no backup begun" };
    });
    return summarise(seen);
}

export const summarise = ({ archive, latestRecoverableTime }: RunnerStatus): BackupStatus => ({
    archiving: Boolean(archive?.newest),
    latestRecoverableTime: latestRecoverableTime ?? "",
});
