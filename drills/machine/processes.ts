import { paths } from "../../components/patroni/config";
import type { Shell } from "./shell";

/** The bracket keeps a pattern from matching the command that looks for it. */
const patterns = {
    postmaster: `[p]ostgres -D ${paths.data}`,
    /** Of a standby: it replays the WAL. */
    startup: "^[p]ostgres: .*startup ",
    patroni: "[p]ython3? .*/bin/patroni ",
    etcd: "^[e]tcd --name",
    haproxy: "^[h]aproxy ",
} as const;

export type Program = keyof typeof patterns;

/** Every process of a program on a machine, the oldest first; a machine runs at most one instance of each. */
export async function processes(ssh: Shell, program: Program): Promise<number[]> {
    const list = `pgrep -f '${patterns[program]}' | xargs -r ps -o pid= --sort=start_time -p`;
    const { stdout } = await ssh.run(list, { allowFailure: true });
    return stdout.split("\n").map(Number).filter(Boolean);
}

/** The first process of a program: the postmaster, or what keeps its container alive. */
export async function processOf(ssh: Shell, program: Program): Promise<number> {
    const [first] = await processes(ssh, program);
    if (first === undefined) {
        throw new Error(`${ssh.machine.name} runs no ${program}`);
    }
    return first;
}

/** A process and what it has forked. */
export async function withChildren(ssh: Shell, parent: number): Promise<number[]> {
    const { stdout } = await ssh.run(`pgrep -P ${parent}`, { allowFailure: true });
    return [parent, ...stdout.split("\n").map(Number).filter(Boolean)];
}

/** For a shell on the machine: asks a program to end, and waits until no process of it is left. */
export const commandThatEnds = (program: Program, timeoutSeconds: number): string =>
    `pkill -TERM -f '${patterns[program]}' || true; ` +
    `timeout ${timeoutSeconds} sh -c "while pgrep -f '${patterns[program]}' >/dev/null; do sleep 0.2; done"`;

/** For a shell on the machine; it does not kill the shell that it is an argument of. */
export const commandThatKills = (program: Program): string => `pkill -KILL -f '${patterns[program]}'`;

/** One that is gone by now is no error, but a fault that reaches nobody is none. */
export async function signal(ssh: Shell, name: "KILL" | "STOP", pids: number[]): Promise<void> {
    const { exitCode } = await ssh.run(
        `reached=1; for pid in ${pids.join(" ")}; do kill -${name} $pid 2>/dev/null && reached=0; done; exit $reached`,
        { allowFailure: true },
    );
    if (exitCode !== 0) {
        throw new Error(`${ssh.machine.name}: none of the processes [${pids.join(", ")}] was there for ${name}`);
    }
}

/** After SIGSTOP; those that are gone by now need nothing. */
export const resume = async (ssh: Shell, pids: number[]): Promise<void> =>
    void (await ssh.run(`kill -CONT ${pids.join(" ")}`, { allowFailure: true }));
