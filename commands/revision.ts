import { spawnSync } from "node:child_process";
import { checkout } from "../offline/checkout";

/** The newest commit that changed the program; a plus tells of changes that are in no commit. */
export function revision(): string {
    const git = (...args: string[]) => spawnSync("git", args, { cwd: checkout, encoding: "utf8" });
    // Settings and documents are not the program; Pulumi itself writes to the settings of a stack that is up.
    const program = ["--", ".", ":!Pulumi.*.yaml", ":!docs", ":!*.md", ":!test"];
    const { status, stdout } = git("log", "-1", "--format=%h", ...program);
    return status === 0
        ? stdout.trim() + (git("status", "--porcelain", ...program).stdout === "" ? "" : "+")
        : "unknown";
}
