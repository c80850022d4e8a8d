/** Everything that is wrong with an input, at once, by the path of its field. */

export interface Problem {
    /** Path of the field as the user wrote it, such as `etcd.members`. */
    path: string;
    /** What is wrong and what to do. */
    message: string;
}

export class ValidationError extends Error {
    constructor(
        readonly subject: string,
        readonly problems: Problem[],
    ) {
        const lines = problems.map(({ path, message }) => `  ${path}: ${message}`);
        const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
        super(`${subject}: ${count}; nothing was changed\n${lines.join("\n")}`);
        this.name = "ValidationError";
    }
}

/** A DNS label short enough that every name derived from it is one, too. */
export const isLabel = (text: string): boolean => /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/.test(text);

/** Why a machine cannot have this name; undefined when it can. */
export const machineNameProblem = (name: string): string | undefined =>
    isLabel(name) ? undefined : `"${name}" is no name: use lower-case letters, digits and hyphens`;

/** Throws one ValidationError naming every problem, or returns when there is none. */
export function refuse(subject: string, problems: Problem[]): void {
    if (problems.length > 0) {
        throw new ValidationError(subject, problems);
    }
}
