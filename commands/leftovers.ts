import { spawnSync } from "node:child_process";
import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";

const kinds = [
    { name: "container", list: ["ps", "--all"], remove: ["rm", "--force", "--volumes"] },
    { name: "volume", list: ["volume", "ls"], remove: ["volume", "rm", "--force"] },
    { name: "network", list: ["network", "ls"], remove: ["network", "rm"] },
] as const;

function docker(args: string[]): { ok: boolean; lines: string[]; error: string } {
    const { status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8", timeout: 60_000 });
    return { ok: status === 0, lines: (stdout ?? "").split("\n").filter((line) => line !== ""), error: stderr ?? "" };
}

/** Removes every container, volume and network of a dev stack, by label. Returns how many there were. */
export function removeLeftovers(stack: string): number {
    let removed = 0;
    for (const { name, list, remove } of kinds) {
        const format = name === "container" ? "{{.Names}}" : "{{.Name}}";
        const find = () => docker([...list, "--filter", `label=postgres-ha.stack=${stack}`, "--format", format]).lines;
        const found = find();
        if (found.length === 0) continue;
        const { error } = docker([...remove, ...found]);
        const left = find();
        if (left.length > 0) {
            throw new ToolchainError(
                `These ${name}s of stack ${stack} could not be removed: ${left.join(", ")}.\n${error.trim()}`,
                `Remove them by hand: docker ${remove.join(" ")} ${left.join(" ")}, then run make down again.`,
            );
        }
        removed += found.length;
        say(`Removed ${name}${found.length === 1 ? "" : "s"} ${found.join(", ")}`);
    }
    return removed;
}
