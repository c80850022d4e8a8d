/**
 * make psql: a session on the primary, through the read-write entries with `sslmode=verify-full`. Arguments for psql
 * come from ARGS: make psql ARGS="-c 'select 1'". Without psql on this host it runs in the primary's pod.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { kubectl, readyServer } from "../components/k3s/cluster-access";
import { withSsh, type SshConnection } from "../components/machines/ssh";
import { findCommand } from "../offline/command";
import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";
import { main } from "./main";
import { probeInstances } from "./status/patroni";
import { entriesOf, type Entry } from "./status/session";
import { openStack, readStackState, type StackState } from "./status/stack-state";
import { Tunnel } from "./status/tunnel";

const given = process.env["ARGS"] ?? "";

async function psql(): Promise<number> {
    const state = await readStackState(await openStack());
    const entries = entriesOf(state.outputs.connectionString, state.outputs.caCertificate);
    return findCommand("psql") === undefined ? psqlInPod(state) : psqlHere(entries);
}

/** The password travels in a file only this user can read, neither in argv nor in the environment. */
async function psqlHere(entries: Entry[]): Promise<number> {
    const folder = mkdtempSync(join(tmpdir(), "postgres-ha-psql-"));
    const [first] = entries;
    if (first === undefined) throw new ToolchainError("The connection string names no entry.", "Run make up again.");
    const passwords = join(folder, "pgpass");
    const authority = join(folder, "ca.crt");
    writeFileSync(passwords, `*:*:*:*:${first.password}\n`, { mode: 0o600 });
    writeFileSync(authority, first.ca);
    const environment = {
        ...process.env,
        PGHOST: entries.map(({ host }) => host).join(","),
        PGPORT: entries.map(({ port }) => port).join(","),
        PGUSER: first.user,
        PGDATABASE: first.database,
        PGPASSFILE: passwords,
        PGSSLMODE: "verify-full",
        PGSSLROOTCERT: authority,
        PGCONNECT_TIMEOUT: "3",
    };
    // The shell takes ARGS apart by its own rules of quoting.
    const child = spawn("sh", ["-c", 'eval "set -- $ARGS"; exec psql "$@"'], {
        env: { ...environment, ARGS: given },
        stdio: "inherit",
    });
    // Ctrl-C belongs to psql, which cancels the statement and goes on.
    const ignore = () => undefined;
    process.on("SIGINT", ignore);
    try {
        return await new Promise<number>((resolve, reject) => {
            child.once("error", reject);
            child.once("close", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
        });
    } finally {
        process.off("SIGINT", ignore);
        rmSync(folder, { recursive: true, force: true });
    }
}

async function psqlInPod(state: StackState): Promise<number> {
    const servers = state.machines.filter(({ role }) => role === "server").map(({ access }) => access);
    // An instance is reached from its own node at least, wherever policies refuse what comes from another.
    const tunnel = new Tunnel(state.machines.map(({ access }) => access));
    const instances = await probeInstances(state, tunnel);
    tunnel.close();
    const primary = instances.find(({ role }) => role === "primary");
    const server = await readyServer(servers);
    if (primary === undefined || server === undefined) {
        const missing = primary === undefined ? "no instance is primary" : "the Kubernetes API answers on no server";
        throw new ToolchainError(`No session: ${missing}.`, "See make status.");
    }
    say(`psql is not installed on this host: it runs in the pod ${primary.name}.`);
    const terminal = process.stdin.isTTY && process.stdout.isTTY;
    // Of the outputs: the pod's environment has the one of its start. In no argument, hence by way of a file in its memory.
    const password = entriesOf(state.outputs.connectionString, state.outputs.caCertificate)[0]?.password ?? "";
    const file = `/tmp/psql-${randomUUID()}`;
    const inPod =
        `PGPASSWORD=$(cat ${file}); rm ${file}; export PGPASSWORD PGSSLMODE=verify-full PGSSLROOTCERT=/tls/ca.crt; ` +
        'exec psql --host localhost --username "$APP_USER" --dbname "$APP_DATABASE" "$@"';
    const write = `-n ${state.namespace} exec -i ${primary.name} -c postgresql -- bash -c 'umask 077; cat > ${file}'`;
    const command =
        `k3s kubectl --namespace ${state.namespace} exec ${terminal ? "-it" : "-i"} ${primary.name} -- ` +
        `bash -c '${inPod}' psql ${given}`;
    return withSsh(server, async (ssh) => {
        await kubectl(ssh, write, { stdin: password });
        try {
            return await attach(ssh, command, terminal);
        } finally {
            // Where the session did not begin it is still there.
            const remove = `-n ${state.namespace} exec ${primary.name} -c postgresql -- rm -f ${file}`;
            await kubectl(ssh, remove, { allowFailure: true });
        }
    });
}

/** Runs a command on a machine with this terminal as its own. */
function attach(ssh: SshConnection, command: string, terminal: boolean): Promise<number> {
    const window = () => ({ rows: process.stdout.rows, cols: process.stdout.columns });
    const pty = terminal ? { term: process.env["TERM"] ?? "xterm", ...window() } : false;
    return new Promise((resolve, reject) => {
        ssh.exec(command, { pty }, (error, channel) => {
            if (error) {
                reject(error);
                return;
            }
            let status = 1;
            const raw = (on: boolean) => (terminal ? process.stdin.setRawMode(on) : undefined);
            raw(true);
            process.stdin.pipe(channel);
            channel.pipe(process.stdout);
            channel.stderr.pipe(process.stderr);
            process.stdout.on("resize", () => {
                const { rows, cols } = window();
                if (terminal) channel.setWindow(rows, cols, 0, 0);
            });
            channel.on("exit", (code: number | null) => (status = code ?? 1));
            channel.on("close", () => {
                raw(false);
                resolve(status);
            });
        });
    });
}

main(psql);
