/** A failure meant for people: what happened, then what to do. Printed without a stack trace. */
export class ToolchainError extends Error {
    /** Title of the innermost step in which it happened. */
    step: string | undefined;

    constructor(
        readonly problem: string,
        readonly remedy: string,
    ) {
        super(`${problem}\n${remedy}`);
        this.name = "ToolchainError";
    }
}

/** A site could not be reached at all: the one failure after which another source of the same part is tried. */
export class UnreachableError extends ToolchainError {
    constructor(problem: string) {
        super(
            problem,
            "Check the network or set a mirror (make doctor names the variables); POSTGRES_HA_OFFLINE=1 builds the part here instead.",
        );
        this.name = "UnreachableError";
    }
}

/** Text of anything thrown. */
export function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** What is printed when a command ends because of this error. */
export function explain(error: unknown): string {
    if (!(error instanceof ToolchainError))
        return error instanceof Error ? (error.stack ?? error.message) : String(error);
    const step = error.step === undefined ? "" : `Failed: ${error.step}\n`;
    return `${step}${error.message}`;
}
