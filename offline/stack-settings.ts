import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { checkout } from "./checkout";

/** The stack that commands are about. */
export const stackName = (): string => process.env["STACK"] ?? "dev";

/**
 * Whether the stack makes an object store of its own (backup.repository.provider), so that its server is needed. Only
 * looked at: whether the settings are right is for the program to say.
 */
export function makesObjectStore(stack: string = stackName(), folder: string = checkout): boolean {
    const file = join(folder, `Pulumi.${stack}.yaml`);
    if (!existsSync(file)) return false;
    try {
        const settings = parse(readFileSync(file, "utf8")) as { config?: Record<string, unknown> } | null;
        const backup = settings?.config?.["postgres-ha:backup"] as { repository?: { provider?: unknown } } | undefined;
        return backup?.repository?.provider === "docker";
    } catch {
        return false;
    }
}
