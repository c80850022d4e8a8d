import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What stands for /etc, /var and /proc of a TestMachine: folders in a directory of the test's. */
export class MachineFiles {
    constructor(private readonly directory: () => string) {}

    /** A command with these paths led there. */
    rewrite(command: string): string {
        return command.replaceAll(/ \/(etc|var|proc)\//g, ` ${this.directory()}/$1/`);
    }

    put(path: string, content = ""): void {
        const file = join(this.directory(), path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content);
    }

    clear(): void {
        for (const name of ["etc", "var", "proc"]) {
            rmSync(join(this.directory(), name), { recursive: true, force: true });
        }
    }
}
