import { spawn } from "node:child_process";

/** Runs the docker client; its last lines are the error. */
export async function docker(
    args: string[],
    options: { stdin?: Buffer; allowFailure?: boolean } = {},
): Promise<string> {
    const { exitCode, stdout, stderr } = await runDocker(args, options.stdin);
    if (exitCode !== 0 && !options.allowFailure) {
        const said = (stderr || stdout).trimEnd().split("\n").slice(-20).join("\n");
        throw new Error(`docker ${args.slice(0, 3).join(" ")}: exit code ${exitCode}\n${said}`);
    }
    return exitCode === 0 ? stdout.trim() : "";
}

function runDocker(args: string[], stdin?: Buffer): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    return new Promise((resolve, reject) => {
        const child = spawn("docker", args, { stdio: ["pipe", "pipe", "pipe"] });
        let stdout = "";
        let stderr = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
        child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
        child.on("error", (error) =>
            reject(
                new Error(`docker cannot be run (${error.message}); install a container engine or run \`make doctor\``),
            ),
        );
        child.on("close", (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
        child.stdin.end(stdin);
    });
}
