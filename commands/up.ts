/** make up: from a bare machine to a running stack. Safe to interrupt and to run again. */
import { duration, say } from "../offline/progress";
import { ensureToolchain } from "../offline/toolchain";
import { clearPendingOperations, removeStaleLocks } from "./interrupted-run";
import { main } from "./main";
import { pulumiOutput, runPulumi, selectStack, unattended } from "./run-pulumi";
import { openWorkspace, prepareState, stackName, type Workspace } from "./workspace";

async function up(): Promise<number> {
    const started = Date.now();
    const toolchain = await ensureToolchain();
    const standIns = Object.entries(toolchain.origins).filter(([, origin]) => origin === "offline");
    if (standIns.length > 0) {
        say(`Built here or stand-ins: ${standIns.map(([name]) => name).join(", ")} (make doctor tells more).`);
    }
    const workspace = openWorkspace(toolchain, stackName());
    prepareState(workspace);
    removeStaleLocks(workspace);
    await selectStack(workspace);
    await clearPendingOperations(workspace);
    say(`pulumi up on stack ${workspace.stack} (tools ready after ${duration(Date.now() - started)})`);
    const { status, interrupted } = await runPulumi(workspace, ["up", ...unattended]);
    if (interrupted || status !== 0) {
        const what = interrupted ? "Interrupted" : "pulumi up failed (see above)";
        say(`\n${what} after ${duration(Date.now() - started)}. What was made is kept: run make up again to go on.`);
        return status === 0 ? 130 : status;
    }
    await printConnections(workspace);
    say(`Done in ${duration(Date.now() - started)}.`);
    return 0;
}

async function printConnections(workspace: Workspace): Promise<void> {
    const text = await pulumiOutput(workspace, ["stack", "output", "--json", "--show-secrets"]);
    const outputs = JSON.parse(text ?? "{}") as Record<string, unknown>;
    const show = (name: string): string => {
        const value = outputs[name];
        const plain = typeof value === "string" ? value : JSON.stringify(value ?? "(no such output)");
        // Logs of a build server are kept and read by many.
        return process.env["CI"] === undefined ? plain : plain.replace(/(:\/\/[^:@/]+):[^@]*@/g, "$1:***@");
    };
    process.stdout.write(
        [
            "",
            `read-write  ${show("connectionString")}`,
            `read-only   ${show("readOnlyConnectionString")}`,
            "",
            "Next:",
            "  make psql                  a session on the primary",
            "  make status                machines, nodes, members; serving, redundant, recoverable",
            `  eval "$(make -s env)"      then pulumi itself, e.g. pulumi stack output --show-secrets`,
            "  make test                  everything that proves it",
            "  make down                  leaves nothing behind",
            "",
            "",
        ].join("\n"),
    );
}

main(up);
