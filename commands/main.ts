import { endRunningCommands } from "../offline/command";
import { explain } from "../offline/errors";

/** Runs a command: its result is the exit status, an error is explained on stderr. */
export function main(command: () => Promise<number>): void {
    command().then(
        (status) => process.exit(status),
        (error: unknown) => {
            process.stderr.write(`\n${explain(error)}\n`);
            endRunningCommands();
            process.exit(1);
        },
    );
}
