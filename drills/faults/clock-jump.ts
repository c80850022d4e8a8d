import { setTimeout as sleep } from "node:timers/promises";
import { undoLater } from "../machine/undo-later";
import type { Fault } from "./fault";

const jump = (minutes: number): Fault => ({
    name: `clock-jump-${minutes > 0 ? "forward" : "back"}`,
    imitates: `the clock of the primary's machine jumps ${Math.abs(minutes)} min ${minutes > 0 ? "ahead" : "back"}, and later to where it was`,
    bar: "unaffected",
    failover: "forbidden",
    holdSeconds: 30,
    async obstacle(cluster) {
        const { machine, ssh } = await cluster.primaryMachine();
        const { exitCode } = await ssh.run("systemd-detect-virt --quiet --container", { allowFailure: true });
        return exitCode === 0
            ? `${machine.name} is a container: it has no clock of its own, and setting it would set its host's`
            : undefined;
    },
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const shift = (by: number) => `date --set=@$(($(date +%s) + ${by}))`;
        let jumped = false;
        let callOff = (): Promise<void> => Promise.resolve();
        return {
            target: `${name} on ${machine.name}`,
            async inject() {
                callOff = await undoLater(ssh, "timedatectl set-ntp true");
                await ssh.run(`timedatectl set-ntp false 2>/dev/null; ${shift(60 * minutes)}`);
                jumped = true;
                await sleep(100);
            },
            async notBitten() {
                const { stdout } = await ssh.run("date +%s");
                const ahead = Number(stdout) - Date.now() / 1000;
                return Math.abs(ahead - 60 * minutes) < 60 ? undefined : `its clock is ${ahead.toFixed(0)} s ahead`;
            },
            async heal() {
                if (jumped) {
                    await ssh.run(`${shift(-60 * minutes)}; timedatectl set-ntp true`, { allowFailure: true });
                }
                await callOff();
            },
        };
    },
});

export const clockJumpForward = jump(5);
export const clockJumpBack = jump(-5);
