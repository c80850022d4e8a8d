import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";
import { findUsableToolchain, type Toolchain, type ToolchainOptions } from "../offline/toolchain";

/**
 * The tools for a command that only looks at a stack: what is there is good enough, nothing is built for it. Parts
 * from before the last change below offline/ are named on stderr.
 */
export async function presentToolchain(options: ToolchainOptions = {}): Promise<Toolchain> {
    const toolchain = await findUsableToolchain(options);
    if (toolchain === undefined)
        throw new ToolchainError("The tools are not there yet.", "make build makes them, and so does make up.");
    if (toolchain.earlier.length > 0) {
        say(
            `Tools made before the last change below offline/: ${toolchain.earlier.join(", ")} (make build renews them).`,
        );
    }
    return toolchain;
}
