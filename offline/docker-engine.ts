import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensurePackages } from "./apt";
import { findCommand, outputOf, tailOf } from "./command";
import { ToolchainError } from "./errors";
import { isAlive, processStart } from "./lock";
import { say, step } from "./progress";

export interface EngineOptions {
    /** Where the pid file and the log of an engine of ours lie. */
    directory: string;
    /** @default /var/lib/postgres-ha-docker */
    dataRoot?: string;
    /** @default the engine's own, /var/run/docker.sock */
    socket?: string;
    /** More arguments for dockerd. */
    extra?: string[];
}

const startMs = 60_000;
/** Containers that still run are ended by then; a starved engine needs its time for each. */
const stopMs = 90_000;

interface Own {
    pid: number;
    started: string;
}

function pidFile(options: EngineOptions): string {
    return join(options.directory, "dockerd.json");
}

/** The engine this project started, when it still runs. */
export function ownEngine(options: EngineOptions): Own | undefined {
    try {
        const own = JSON.parse(readFileSync(pidFile(options), "utf8")) as Own;
        return isAlive(own.pid, own.started) ? own : undefined;
    } catch {
        return undefined;
    }
}

/** Version of the engine that answers, or undefined. */
export function engineVersion(socket?: string): string | undefined {
    const host = socket === undefined ? [] : ["--host", `unix://${socket}`];
    const version = outputOf("docker", [...host, "info", "--format", "{{.ServerVersion}}"]);
    return version === "" ? undefined : version;
}

/** What the client says when no engine listens, as against one that is too busy to answer. */
const absent = /Cannot connect to the Docker daemon|connection refused|no such file or directory/i;

/**
 * Whether an engine answers, false when none runs. One that runs but does not answer is waited for: what it holds must
 * not be taken as gone.
 */
export async function engineAnswers(withinMs = 180_000): Promise<boolean> {
    const end = Date.now() + withinMs;
    for (let told = false; ; told = true) {
        const { error, status, stderr } = spawnSync("docker", ["info", "--format", "{{.ServerVersion}}"], {
            encoding: "utf8",
            timeout: 30_000,
        });
        if (status === 0) return true;
        if (findCommand("docker") === undefined || absent.test(stderr)) return false;
        const said = error?.message ?? stderr.trim();
        if (Date.now() > end) {
            throw new ToolchainError(
                `A Docker engine runs but does not answer (${said}): what it holds of the stack cannot be told.`,
                "Wait until the machine is less busy or restart the engine, then run the same command again.",
            );
        }
        if (!told) say(`The Docker engine does not answer (${said}); waiting for it.`);
        await sleep(1000);
    }
}

async function answers(socket: string | undefined, withinMs: number, alive: () => boolean): Promise<boolean> {
    const end = Date.now() + withinMs;
    while (Date.now() < end && alive()) {
        if (engineVersion(socket) !== undefined) return true;
        await sleep(500);
    }
    return engineVersion(socket) !== undefined;
}

/** A Docker engine that answers: the running one, else Debian's, installed and started in the background. */
export async function ensureDockerEngine(options: EngineOptions): Promise<void> {
    const { directory, socket } = options;
    if (engineVersion(socket) !== undefined) return;
    mkdirSync(directory, { recursive: true });
    if (findCommand("dockerd") === undefined || findCommand("docker") === undefined) {
        await ensurePackages(["docker.io"], "to run the machines of the dev stack", join(directory, "apt-docker.log"));
    }
    if (process.getuid?.() !== 0) {
        throw new ToolchainError(
            "No Docker engine answers, and starting one needs root.",
            "Start it (sudo systemctl start docker) and let this user use it (sudo usermod -aG docker $USER, then log in again).",
        );
    }
    if (existsSync("/run/systemd/system") && socket === undefined) {
        outputOf("systemctl", ["start", "docker"]);
        if (await answers(socket, 15_000, () => true)) return;
    }
    await start(options);
}

async function start(options: EngineOptions): Promise<void> {
    const { directory, dataRoot = "/var/lib/postgres-ha-docker", socket, extra = [] } = options;
    const log = join(directory, "dockerd.log");
    const args = ["--data-root", dataRoot, ...(socket === undefined ? [] : ["--host", `unix://${socket}`]), ...extra];
    say(`No Docker engine answers: starting one in the background (data in ${dataRoot}; make down stops it).`);
    await step("starting the Docker engine", async () => {
        mkdirSync(dirname(socket ?? "/var/run/docker.sock"), { recursive: true });
        const output = openSync(log, "w");
        const child = spawn("dockerd", args, { detached: true, stdio: ["ignore", output, output] });
        closeSync(output);
        const failed = new Promise<string>((resolve) => child.once("error", (error) => resolve(error.message)));
        const pid = child.pid;
        if (pid === undefined)
            throw new ToolchainError(`dockerd cannot be started: ${await failed}`, "Install docker.io.");
        child.unref();
        const own: Own = { pid, started: processStart(pid) ?? "" };
        writeFileSync(pidFile(options), JSON.stringify(own));
        if (await answers(socket, startMs, () => isAlive(own.pid, own.started))) return;
        await stopDockerEngine(options);
        throw new ToolchainError(
            `Command: dockerd ${args.join(" ")}\nThe engine did not answer within ${startMs / 1000} s; its last lines:\n${tailOf(log)}\nLog: ${log}`,
            "Mend what the log names, or start a Docker engine in another way, then run the same command again.",
        );
    });
}

/** Stops the engine only when this project started it. Returns whether it did. */
export async function stopDockerEngine(options: EngineOptions): Promise<boolean> {
    const own = ownEngine(options);
    if (own === undefined) {
        rmSync(pidFile(options), { force: true });
        return false;
    }
    process.kill(own.pid, "SIGTERM");
    const end = Date.now() + stopMs;
    while (isAlive(own.pid, own.started)) {
        if (Date.now() > end) {
            throw new ToolchainError(
                `The Docker engine (process ${own.pid}) did not stop within ${stopMs / 1000} s.`,
                `Look at ${join(options.directory, "dockerd.log")}; end it with: kill -KILL ${own.pid}`,
            );
        }
        await sleep(200);
    }
    rmSync(pidFile(options), { force: true });
    return true;
}
