/** make env: prints what a shell needs so that plain `pulumi` commands work on this checkout's stack. */
import { main } from "./main";
import { presentToolchain } from "./present-toolchain";
import { openWorkspace } from "./workspace";

function quote(value: string): string {
    return `'${value.replaceAll("'", `'\\''`)}'`;
}

async function env(): Promise<number> {
    const { additions } = openWorkspace(await presentToolchain());
    for (const [name, value] of Object.entries(additions).sort()) {
        process.stdout.write(`export ${name}=${quote(value)}\n`);
    }
    return 0;
}

main(env);
