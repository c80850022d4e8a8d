/**
 * make backup: a backup now, with its progress until it is done. TYPE=full, differential or incremental (the default);
 * TYPE=restore-test restores the newest one into a throwaway instance instead. Exit status 1 when it failed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerStatus } from "../components/pgbackrest/runner-api";
import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";
import { main } from "./main";
import { probeBackup, tellRunner } from "./status/backup";
import { openStack, readStackState } from "./status/stack-state";
import { Tunnel } from "./status/tunnel";

const types = ["full", "differential", "incremental", "restore-test"];
/** The runner retries; after this many looks without an answer it is not there. */
const patience = 60;

async function backup(): Promise<number> {
    const type = process.env["TYPE"] ?? "incremental";
    if (!types.includes(type)) {
        throw new ToolchainError(`TYPE=${type} is no kind of backup.`, `Use one of ${types.join(", ")}.`);
    }
    const state = await readStackState(await openStack());
    const tunnel = new Tunnel(state.machines.map(({ access }) => access));
    const ask = async (): Promise<RunnerStatus | undefined> => {
        const status = await probeBackup(state, tunnel);
        return status && !("silent" in status) ? status : undefined;
    };
    try {
        if (state.backup === undefined) {
            throw new ToolchainError("This stack has no backups.", "Set `backup` in its configuration.");
        }
        const before = await ask();
        await tellRunner(state, tunnel, type === "restore-test" ? "/restore-test" : `/backup?type=${type}`);
        return await follow(ask, before?.lastJob?.finishedAt);
    } finally {
        tunnel.close();
    }
}

/** Until the job is done that was asked for; one that ran before it is waited for, too. */
async function follow(ask: () => Promise<RunnerStatus | undefined>, before: string | undefined): Promise<number> {
    let shown = "";
    let silent = 0;
    for (;;) {
        await sleep(1000);
        const status = await ask();
        silent = status ? 0 : silent + 1;
        if (silent > patience) {
            throw new ToolchainError("The backup runner does not answer.", "See make status.");
        }
        if (!status) continue;
        const text = describe(status);
        if (text !== shown) say(text);
        shown = text;
        const { lastJob } = status;
        if (status.requested.length === 0 && !status.running && lastJob && lastJob.finishedAt !== before) {
            const what = `${lastJob.job} ${lastJob.type ?? ""}`.trim();
            say(lastJob.ok ? `${what}: done in ${lastJob.seconds} s` : `${what} failed: ${lastJob.message}`);
            return lastJob.ok ? 0 : 1;
        }
    }
}

function describe({ running, problem, reachable, lastJob }: RunnerStatus): string {
    if (reachable === false) return `The runner waits: ${problem}`;
    if (!running)
        return lastJob && !lastJob.ok ? `Another attempt follows: ${lastJob.message}` : "The runner begins ...";
    const megabytes = (bytes = 0): string => `${Math.round(bytes / 2 ** 20)} MiB`;
    const progress = running.totalBytes
        ? ` ${megabytes(running.doneBytes)} of ${megabytes(running.totalBytes)} (${Math.round((100 * (running.doneBytes ?? 0)) / running.totalBytes)} %)`
        : " ...";
    return `${running.job} ${running.type ?? ""}${progress}`.replace(/ {2,}/g, " ");
}

main(backup);
