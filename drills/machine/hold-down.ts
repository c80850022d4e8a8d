import type { Shell } from "./shell";
import { commandThatKills, type Program } from "./processes";

/** Kills a program again and again, whoever starts it, until it is ended or `atMostSeconds` are over. */
export function holdDown(ssh: Shell, program: Program, atMostSeconds: number) {
    const unit = `drill-hold-down-${program}`;
    return {
        async begin(): Promise<void> {
            // Nothing to kill: it would hold down what does not exist under this name.
            await ssh.run(commandThatKills(program));
            const loop = `while :; do ${commandThatKills(program)}; sleep 0.2; done`;
            await ssh.run(
                `systemd-run --quiet --collect --unit=${unit} --property=RuntimeMaxSec=${atMostSeconds} bash -c "${loop}"`,
            );
        },
        end: async (): Promise<void> => void (await ssh.run(`systemctl stop ${unit}`, { allowFailure: true })),
    };
}
