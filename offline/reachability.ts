import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ToolchainError } from "./errors";
import { hasOwnHosts } from "./stack-settings";

/** Whether official releases are looked for: "auto" tries, "only" forbids stand-ins, "never" does not try. */
export type OfficialMode = "auto" | "only" | "never";

/** How long an answer is believed. */
const rememberMs = 10 * 60_000;
const probeMs = 4000;

/** POSTGRES_HA_OFFLINE: 1 never asks the network for releases, 0 never builds a stand-in, unset decides by itself. */
export function officialMode(value: string | undefined = process.env["POSTGRES_HA_OFFLINE"]): OfficialMode {
    if (value === undefined || value === "") return "auto";
    if (value === "1" || value === "true") return "never";
    if (value === "0" || value === "false") return "only";
    throw new ToolchainError(`POSTGRES_HA_OFFLINE is "${value}".`, "Use 1, 0, or leave it unset.");
}

/** Without a word of the user: no stand-in gets onto hosts that are not this host's own containers. */
export function modeOfParts(ofHosts: boolean = hasOwnHosts(), mode: OfficialMode = officialMode()): OfficialMode {
    return mode === "auto" && ofHosts ? "only" : mode;
}

type Memory = Record<string, { reachable: boolean; at: number }>;

async function probe(address: string, timeoutMs: number): Promise<boolean> {
    try {
        await fetch(address, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
        return true;
    } catch {
        return false;
    }
}

/** Asks each site once, with a short timeout, and remembers the answers for a while beside the cache. */
export class Reachability {
    private readonly file: string;

    constructor(
        cacheDirectory: string,
        private readonly timeoutMs = probeMs,
    ) {
        this.file = join(cacheDirectory, "reachability.json");
    }

    async of(address: string): Promise<boolean> {
        const known = this.read()[address];
        if (known !== undefined && Date.now() - known.at < rememberMs) return known.reachable;
        const reachable = await probe(address, this.timeoutMs);
        this.remember(address, reachable);
        return reachable;
    }

    remember(address: string, reachable: boolean): void {
        const memory = { ...this.read(), [address]: { reachable, at: Date.now() } };
        mkdirSync(join(this.file, ".."), { recursive: true });
        const unfinished = `${this.file}.${process.pid}`;
        writeFileSync(unfinished, JSON.stringify(memory));
        renameSync(unfinished, this.file);
    }

    private read(): Memory {
        try {
            return JSON.parse(readFileSync(this.file, "utf8")) as Memory;
        } catch {
            return {};
        }
    }
}
