import type { Shell } from "./shell";

/** Longer than any fault is held. */
export const forgottenAfterSeconds = 900;

/**
 * Undoes a fault on the machine itself when nobody has done so in time: a drill that was killed half-way must not
 * leave a broken machine behind. `command` must do no harm when all is well again; it holds no single quote.
 * Returns what calls it off, for those who would do the same again before then.
 */
export async function undoLater(ssh: Shell, command: string): Promise<() => Promise<void>> {
    const unit = `drill-undo-${Date.now()}-${Math.floor(Math.random() * 1e6)}`;
    await ssh.run(
        `systemd-run --quiet --collect --unit=${unit} --on-active=${forgottenAfterSeconds} sh -c '${command}'`,
    );
    return async () => void (await ssh.run(`systemctl stop ${unit}.timer`, { allowFailure: true }));
}
