import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { checkout } from "./checkout";

/** The stack that commands are about. */
export const stackName = (): string => process.env["STACK"] ?? "dev";

/** Whether the stack makes an object store of its own (backup.repository.provider), so that its server is needed. */
export function makesObjectStore(stack: string = stackName(), folder: string = checkout): boolean {
    const backup = settingsOf(stack, folder)["postgres-ha:backup"] as
        { repository?: { provider?: unknown } } | undefined;
    return backup?.repository?.provider === "docker";
}

/** Whether the stack runs on hosts that it did not make. */
export function hasOwnHosts(stack: string = stackName(), folder: string = checkout): boolean {
    const machines = settingsOf(stack, folder)["postgres-ha:machines"] as { provider?: unknown } | undefined;
    return machines?.provider === "existing";
}

/** Only looked at: whether the settings are right is for the program to say. */
function settingsOf(stack: string, folder: string): Record<string, unknown> {
    const file = join(folder, `Pulumi.${stack}.yaml`);
    if (!existsSync(file)) return {};
    try {
        const settings = parse(readFileSync(file, "utf8")) as { config?: Record<string, unknown> } | null;
        return settings?.config ?? {};
    } catch {
        return {};
    }
}
