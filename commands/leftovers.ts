import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { removePodTrafficRule } from "../components/machines/docker/network.step";
import { dockerLabels } from "../components/naming";
import { ToolchainError } from "../offline/errors";
import { duration, say } from "../offline/progress";

/** In the order in which they can be removed. */
const kinds = [
    { name: "container", list: ["ps", "--all"], format: "{{.Names}}", remove: ["rm", "--force", "--volumes"] },
    { name: "volume", list: ["volume", "ls"], format: "{{.Name}}", remove: ["volume", "rm", "--force"] },
    { name: "network", list: ["network", "ls"], format: "{{.Name}}", remove: ["network", "rm"] },
] as const;

export interface RemovalOptions {
    /**
     * How long to go on trying: an engine on a starved host may need minutes to kill a container full of processes,
     * and gives each attempt up after 10 s ("Could not kill running container"). @default 5 minutes
     */
    withinMs?: number;
    /** Pause between two attempts. @default 2 s */
    pauseMs?: number;
    /** Longest one docker command may take. @default 2 minutes */
    commandMs?: number;
}

interface Answer {
    ok: boolean;
    lines: string[];
    error: string;
}

function docker(args: readonly string[], commandMs: number): Answer {
    const { status, stdout, stderr, error } = spawnSync("docker", args, { encoding: "utf8", timeout: commandMs });
    const lines = (stdout ?? "").split("\n").filter((line) => line !== "");
    return { ok: status === 0, lines, error: (error?.message ?? stderr ?? "").trim() };
}

/**
 * Removes every container, volume and network of a dev stack, by label, and returns how many there were. It tries
 * again what fails and ends well only when the engine itself said that nothing is left.
 */
export async function removeLeftovers(stack: string, options: RemovalOptions = {}): Promise<number> {
    const { withinMs = 300_000, pauseMs = 2000, commandMs = 120_000 } = options;
    const begin = Date.now();
    let removed = 0;
    for (;;) {
        const problems: string[] = [];
        const left: string[] = [];
        let found = 0;
        for (const kind of kinds) {
            const round = removeKind(kind, stack, commandMs);
            found += round.found;
            removed += round.removed;
            left.push(...round.left);
            problems.push(...round.problems);
        }
        // After a round that removed something another one looks: a killed run may have been making more.
        if (found === 0 && problems.length === 0) return removed;
        if (problems.length === 0) continue;
        const what = left.length > 0 ? `still there: ${left.join(", ")}` : "the engine does not say what is left";
        if (Date.now() - begin > withinMs) {
            throw new ToolchainError(
                `Not everything of stack ${stack} could be removed within ${duration(withinMs)}; ${what}.\n${problems.join("\n")}`,
                "Run make down again when the machine is less busy; if it fails again, restart the Docker engine first.",
            );
        }
        say(`${problems[0]?.split("\n").at(-1) ?? ""} (${what}; trying again, ${duration(Date.now() - begin)})`);
        await sleep(pauseMs);
    }
}

interface Round {
    found: number;
    removed: number;
    /** Names of what is there after the attempt. */
    left: string[];
    problems: string[];
}

function removeKind(kind: (typeof kinds)[number], stack: string, commandMs: number): Round {
    const label = ["--filter", `label=${dockerLabels.stack}=${stack}`, "--format", kind.format];
    const list = () => docker([...kind.list, ...label], commandMs);
    const before = list();
    if (!before.ok) return { found: 0, removed: 0, left: [], problems: [`docker ${kind.list[0]}: ${before.error}`] };
    if (before.lines.length === 0) return { found: 0, removed: 0, left: [], problems: [] };
    if (kind.name === "network") removeRules(before.lines, commandMs);
    const { error } = docker([...kind.remove, ...before.lines], commandMs);
    const after = list();
    const left = after.ok ? after.lines : before.lines;
    const gone = before.lines.filter((name) => !left.includes(name));
    if (gone.length > 0) say(`Removed ${kind.name}${gone.length === 1 ? "" : "s"} ${gone.join(", ")}`);
    const problems = left.length > 0 ? [error === "" ? `docker ${kind.remove.join(" ")} did nothing` : error] : [];
    return { found: before.lines.length, removed: gone.length, left, problems };
}

/** The rule that lets pods on different machines talk names the network's bridge and would outlive it. */
function removeRules(networks: string[], commandMs: number): void {
    const format = '{{index .Options "com.docker.network.bridge.name"}}';
    for (const bridge of docker(["network", "inspect", "--format", format, ...networks], commandMs).lines) {
        removePodTrafficRule(bridge);
    }
}
