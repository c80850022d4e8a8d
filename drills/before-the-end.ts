import { say } from "../offline/progress";

/** SIGHUP where the terminal is closed, or the connection to the host that drills. */
const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Signals within this time are one press of Ctrl-C that arrives by several ways. */
const oncePerMs = 2000;

/** A terminal that is gone must not end the process before it has undone what it did. */
const ignore = (): void => undefined;

/**
 * When the process is told to end, `undo` comes first; told a second time it ends at once. Returns what calls it off, for
 * when there is nothing to undo any more.
 */
export function beforeTheEnd(undo: () => Promise<unknown>): () => void {
    let told: number | undefined;
    const end = (): void => {
        if (told !== undefined) {
            if (Date.now() - told > oncePerMs) process.exit(130);
            return;
        }
        told = Date.now();
        say("Undoing first what was done; once more ends at once.");
        undo()
            .catch((error: unknown) => say(`It could not be undone: ${(error as Error).message}`))
            .finally(() => process.exit(130));
    };
    for (const signal of endings) process.on(signal, end);
    for (const stream of [process.stdout, process.stderr]) stream.on("error", ignore);
    return () => {
        for (const signal of endings) process.off(signal, end);
        for (const stream of [process.stdout, process.stderr]) stream.off("error", ignore);
    };
}
