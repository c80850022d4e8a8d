import { createRequire } from "node:module";
import { join } from "node:path";
import { answeredVersion, DYNAMIC_HOST, introduce } from "./identity";

// The engine starts this in the program's directory. The SDK there holds the provider itself, so that it is the same
// version as the program's; this launcher only finds it and becomes it (a process of its own would cost a second node).

function becomeProvider(directory: string): void {
    const requireFromProgram = createRequire(join(directory, "package.json"));
    let provider: string;
    try {
        provider = requireFromProgram.resolve("@pulumi/pulumi/cmd/dynamic-provider");
    } catch {
        process.stderr.write(
            `${introduce(DYNAMIC_HOST)}: cannot find @pulumi/pulumi from ${directory}: run the package manager's install there\n`,
        );
        process.exit(1);
    }
    process.argv = [process.execPath, provider, ...process.argv.slice(2)];
    requireFromProgram(provider);
}

function main(): void {
    if (answeredVersion(DYNAMIC_HOST, process.argv.slice(2))) return;
    // No introduction when all is well: the engine prints every line of a dynamic provider to the terminal, and the
    // code that runs from here on is the official one.
    const parent = process.ppid;
    setInterval(() => {
        if (process.ppid !== parent) process.exit(0);
    }, 1000).unref();
    becomeProvider(process.cwd());
}

main();
