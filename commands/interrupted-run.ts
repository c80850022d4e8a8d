import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { ToolchainError } from "../offline/errors";
import { isAlive } from "../offline/lock";
import { say } from "../offline/progress";
import { pulumiOutput } from "./run-pulumi";
import { ownBackendFiles, project, type Workspace } from "./workspace";

interface BackendLock {
    pid: number;
    username: string;
    hostname: string;
    timestamp: string;
}

/** A reused pid is no run of ours: only a process that is Pulumi holds a lock of Pulumi. */
function isPulumi(pid: number): boolean {
    if (!isAlive(pid)) return false;
    try {
        return readFileSync(`/proc/${pid}/comm`, "utf8").includes("pulumi");
    } catch {
        return false;
    }
}

/** Removes locks whose process is gone; refuses to go on while another run works on the stack. */
export function removeStaleLocks({ stack, ownsState }: Workspace): void {
    if (!ownsState) return;
    const folder = join(ownBackendFiles, "locks", "organization", project, stack);
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".json"))) {
        const file = join(folder, name);
        const lock = JSON.parse(readFileSync(file, "utf8")) as BackendLock;
        const owner = `process ${lock.pid} of ${lock.username} on ${lock.hostname}, since ${lock.timestamp}`;
        if (lock.hostname !== hostname()) {
            throw new ToolchainError(
                `The stack ${stack} is locked by ${owner}, which cannot be seen from here.`,
                `Wait for it; if it is gone: eval "$(make -s env)" && pulumi cancel --stack ${stack}`,
            );
        }
        if (isPulumi(lock.pid)) {
            throw new ToolchainError(
                `Another run works on the stack ${stack}: ${owner}.`,
                `Wait until it ends, or end it with: kill -INT ${lock.pid}`,
            );
        }
        rmSync(file, { force: true });
        rmSync(`${file}.attrs`, { force: true });
        say(`Removed the lock of an interrupted run on ${stack} (${owner}).`);
    }
}

interface Export {
    deployment?: { pending_operations?: { type: string; resource: { urn: string } }[] };
}

/**
 * Clears what an interrupted run left half done. Pulumi itself would keep pending creates for ever and warn on each
 * run; here every create adopts what exists, so the next update does them again and finds what was made.
 */
export async function clearPendingOperations(workspace: Workspace): Promise<void> {
    const text = await pulumiOutput(workspace, ["stack", "export"]);
    if (text === undefined) return;
    const pending = (JSON.parse(text) as Export).deployment?.pending_operations ?? [];
    if (pending.length === 0) return;
    say(`An earlier run was interrupted during ${pending.length} operations; they are done again:`);
    for (const { type, resource } of pending) say(`  ${type} ${resource.urn.split("::").slice(2).join(" ")}`);
    // Importing a deployment is what drops its pending operations.
    if ((await pulumiOutput(workspace, ["stack", "import"], { input: text })) !== undefined) return;
    throw new ToolchainError(
        `The pending operations of ${workspace.stack} cannot be cleared.`,
        `Try: eval "$(make -s env)" && pulumi refresh --clear-pending-creates --stack ${workspace.stack}`,
    );
}
