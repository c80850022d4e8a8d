import { pulumiOutput } from "../commands/run-pulumi";
import type { Workspace } from "../commands/workspace";
import { ToolchainError } from "../offline/errors";

/** Drills kill machines: they run only on a stack whose configuration says that it may be harmed. */
export async function assertDrillsAllowed(workspace: Workspace): Promise<void> {
    const { stack } = workspace;
    let said = "";
    const setting = await pulumiOutput(workspace, ["config", "get", "drills"], { onError: (text) => (said = text) });
    if (setting === undefined && !said.includes("configuration key")) {
        throw new ToolchainError(
            `Whether stack ${stack} may be harmed is not known: ${said}`,
            "STACK=NAME chooses another stack.",
        );
    }
    if (setting?.trim() !== "allowed") {
        throw new ToolchainError(
            `Drills kill processes and machines, and stack ${stack} is not marked for that.`,
            `If it holds nothing that may not be lost: pulumi config set drills allowed --stack ${stack}`,
        );
    }
}
