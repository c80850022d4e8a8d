/** make env: prints what a shell needs so that plain `pulumi` commands work on this checkout's stack. */
import { ToolchainError } from "../offline/errors";
import { findToolchain } from "../offline/toolchain";
import { main } from "./main";
import { openWorkspace } from "./workspace";

function quote(value: string): string {
    return `'${value.replaceAll("'", `'\\''`)}'`;
}

async function env(): Promise<number> {
    const toolchain = await findToolchain();
    if (toolchain === undefined) throw new ToolchainError("The tools are not there yet.", "Run make up first.");
    const { additions } = openWorkspace(toolchain);
    for (const [name, value] of Object.entries(additions).sort()) {
        process.stdout.write(`export ${name}=${quote(value)}\n`);
    }
    return 0;
}

main(env);
