/** make test: everything that proves the project, from formatting to failover on a live cluster. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../offline/checkout";
import { findToolchain } from "../offline/toolchain";
import { main } from "./main";
import { pulumiOutput, unattended } from "./run-pulumi";
import { printFailures, runCheck, runSuite, summaryRow, type Result } from "./suites";
import { printTable } from "./table";
import { openWorkspace, type Workspace } from "./workspace";

const bin = (name: string): string => join(checkout, "node_modules", ".bin", name);
const command = (name: string): string[] => [
    process.execPath,
    "--import",
    "tsx",
    join(checkout, "commands", `${name}.ts`),
];

/** With TEST_MINUTES end-to-end files that have not begun by then are skipped, and counted as that. */
const minutes = process.env["TEST_MINUTES"];
const deadline = minutes === undefined ? {} : { TEST_DEADLINE: String(Date.now() + Number(minutes) * 60_000) };

/** The contract tests of the engine's stand-ins use the CLI that the stack uses. */
async function engineUnderTest(): Promise<NodeJS.ProcessEnv> {
    const toolchain = await findToolchain();
    const folders = (toolchain?.environment["PATH"] ?? process.env["PATH"] ?? "").split(":");
    const cli = folders.map((folder) => join(folder, "pulumi")).find((path) => existsSync(path));
    return cli === undefined ? {} : { POSTGRES_HA_PULUMI: cli };
}

/** The stack of a run that ended well, when there is one. */
async function runningStack(): Promise<Workspace | undefined> {
    const toolchain = await findToolchain();
    if (toolchain === undefined || !existsSync(join(checkout, "Pulumi.yaml"))) return undefined;
    const workspace = openWorkspace(toolchain);
    const output = await pulumiOutput(workspace, ["stack", "output", "connectionString"]);
    return output === undefined ? undefined : workspace;
}

/** Suites that need the container engine and the stack's images, and those that need the stack itself. */
async function onTheStack(results: Result[], wasUp: boolean): Promise<void> {
    const up = wasUp ? undefined : await runCheck("up", [command("up")]);
    if (up !== undefined) results.push(up);
    results.push(await runSuite("contract", await engineUnderTest()));
    if (up !== undefined && up.failed > 0) return;
    const workspace = await runningStack();
    if (workspace === undefined) {
        results.push({
            name: "stack outputs",
            passed: 0,
            failed: 1,
            skipped: 0,
            failures: [],
            durationMs: 0,
            note: "no connectionString",
        });
        return;
    }
    results.push(await runSuite("e2e", { ...workspace.environment, ...deadline }));
    const again = ["pulumi", "up", ...unattended, "--expect-no-changes"];
    const options = ["--stack", workspace.stack, "--non-interactive"];
    results.push(await runCheck("up again: no change", [[...again, ...options]], workspace.environment));
}

async function test(): Promise<number> {
    const started = Date.now();
    const results: Result[] = [];
    results.push(
        await runCheck("lint", [
            [bin("eslint"), "."],
            [bin("prettier"), "--check", "."],
            [bin("tsc"), "--noEmit"],
        ]),
    );
    for (const suite of ["unit", "component"] as const) results.push(await runSuite(suite));
    results.push(await runCheck("build", [command("build")]));
    const wasUp = (await runningStack()) !== undefined;
    await onTheStack(results, wasUp);
    const keep = process.env["KEEP"] === "1";
    if (!wasUp && !keep) results.push(await runCheck("down", [command("down")]));
    return summarize(results, Date.now() - started);
}

function summarize(results: Result[], durationMs: number): number {
    const sum = (count: "passed" | "failed" | "skipped"): number =>
        results.reduce((total, result) => total + result[count], 0);
    const total = { name: "total", passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped"), durationMs };
    process.stdout.write("\n");
    printTable(["suite", "passed", "failed", "skipped", "time", ""], [...results, total].map(summaryRow));
    printFailures(results);
    process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
    return total.failed > 0 ? 1 : 0;
}

main(test);
