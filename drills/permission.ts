import { pulumiOutput } from "../commands/run-pulumi";
import type { Workspace } from "../commands/workspace";
import { ToolchainError } from "../offline/errors";

/** Drills kill machines: they run only on a stack whose configuration says that it may be harmed. */
export async function assertDrillsAllowed(workspace: Workspace): Promise<void> {
    const { stack } = workspace;
    const setting = await pulumiOutput(workspace, ["config", "get", "drills"]);
    if (setting?.trim() !== "allowed") {
        throw new ToolchainError(
            `Drills kill processes and machines, and stack ${stack} is not marked for that.`,
            `If it holds nothing that may not be lost: pulumi config set drills allowed --stack ${stack}`,
        );
    }
}
