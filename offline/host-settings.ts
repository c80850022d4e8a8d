import { readFileSync, writeFileSync } from "node:fs";
import { ToolchainError } from "./errors";
import { say } from "./progress";

/** A kernel setting that containers share with the host, so that it cannot be made inside a machine. */
interface Setting {
    key: string;
    value: number;
    /** A larger value is as good. */
    atLeast?: true;
    reason: string;
}

export const hostSettings: Setting[] = [
    { key: "vm.overcommit_memory", value: 1, reason: "the kubelet expects it" },
    { key: "kernel.panic", value: 10, reason: "the kubelet expects it" },
    { key: "kernel.panic_on_oops", value: 1, reason: "the kubelet expects it" },
    { key: "fs.inotify.max_user_instances", value: 4096, atLeast: true, reason: "three nodes share the limit" },
    { key: "fs.inotify.max_user_watches", value: 524288, atLeast: true, reason: "three nodes share the limit" },
];

const fileOf = (key: string): string => `/proc/sys/${key.replaceAll(".", "/")}`;

export function currentSetting(key: string): number | undefined {
    try {
        return Number(readFileSync(fileOf(key), "utf8"));
    } catch {
        return undefined;
    }
}

export function isSatisfied({ key, value, atLeast }: Setting): boolean {
    const current = currentSetting(key);
    return current !== undefined && (atLeast === true ? current >= value : current === value);
}

/** Sets what the machines of the dev stack need from the host's kernel; says each change. */
export function ensureHostSettings(): void {
    const wrong = hostSettings.filter((setting) => !isSatisfied(setting));
    if (wrong.length === 0) return;
    const command = `sysctl -w ${wrong.map(({ key, value }) => `${key}=${value}`).join(" ")}`;
    try {
        for (const { key, value } of wrong) writeFileSync(fileOf(key), `${value}\n`);
    } catch (error) {
        throw new ToolchainError(
            `Kernel settings of this host cannot be changed: ${String(error)}`,
            `Run: sudo ${command}`,
        );
    }
    say(`Host settings for the dev machines: ${command}`);
}
