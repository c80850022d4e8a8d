import { randomBytes } from "node:crypto";
import type { MachineAccess } from "../machines/machine";
import { backupPaths } from "./config";
import { runInImage } from "./run-in-image";

export interface RepositoryQuestion {
    /** Machines with the image on them; the first that can asks: the answer does not depend on which one it is. */
    machines: MachineAccess[];
    /** Image that holds pgBackRest and the backup code. */
    image: string;
    stanza: string;
    /** What the instances would read, by name: settings of repositories, authorities of their certificates. */
    files: Record<string, string>;
    /** A restore that the question is about. */
    request?: object;
    /** Module of the backup code; its last line of output is the answer as JSON. */
    module: string;
}

/** Lists and reads; pgBackRest tries again for a while where a store answers with errors. */
const limitSeconds = 120;

/** Asks a repository something in a container of its own, with settings that nobody else has read yet. */
export async function askRepository<Answer extends object>(question: RepositoryQuestion): Promise<Answer> {
    const { machines, image, module } = question;
    const failures: string[] = [];
    for (const machine of machines) {
        const id = `postgres-ha-${module.replaceAll("_", "-")}-${randomBytes(6).toString("hex")}`;
        const scratch = [backupPaths.config, backupPaths.request];
        const script = renderQuestion(question);
        const said = await runInImage(machine, { image, id, script, limitSeconds, scratch }).then(
            ({ stdout, stderr, exitCode }) =>
                parse<Answer>(stdout) ?? (exitCode === 124 ? `no end after ${limitSeconds} s` : stderr.trim()),
            (error: unknown) => (error as Error).message,
        );
        if (typeof said !== "string") {
            return said;
        }
        failures.push(`${machine.name}: ${said}`);
    }
    throw new Error(`the repository could be asked from no machine: ${failures.join("; ")}`);
}

function parse<Answer>(output: string): Answer | undefined {
    const last = output.trim().split("\n").at(-1) ?? "";
    return last.startsWith("{") ? (JSON.parse(last) as Answer) : undefined;
}

/** A script for bash's standard input: contents are in no argument. */
export function renderQuestion({
    stanza,
    files,
    request,
    module,
}: Pick<RepositoryQuestion, "stanza" | "files" | "request" | "module">): string {
    const write = (path: string, text: string) => `cat > ${path} <<'END-OF-FILE'\n${text.trimEnd()}\nEND-OF-FILE\n`;
    return [
        `umask 077\nexport BACKUP_STANZA=${stanza}\n`,
        ...Object.entries(files).map(([name, text]) => write(`${backupPaths.config}/${name}`, text)),
        ...(request === undefined ? [] : [write(`${backupPaths.request}/restore.json`, JSON.stringify(request))]),
        // Its own input would be the rest of this script.
        `cd /usr/local/lib/postgres-ha && python3 -m backup.${module} </dev/null\nexit\n`,
    ].join("");
}
