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
        if (exitCode === 0) {
            return `${machine.name} is a container: it has no clock of its own, and setting it would set its host's`;
        }
        const { stdout } = await ssh.run("timedatectl show -p NTP --value", { allowFailure: true });
        return stdout.trim() === "yes"
            ? undefined
            : `the clock of ${machine.name} is kept by no time service that timedatectl knows, which would set it right again`;
    },
    async prepare(cluster) {
        const { name, machine, ssh } = await cluster.primaryMachine();
        const uptime = "$(cut -d . -f 1 /proc/uptime)";
        // A clock that nobody sets goes on from there.
        const begun = (await ssh.run(`echo $(($(date +%s) - ${uptime}))`)).stdout.trim();
        const setBack = `date --set=@$((${begun} + ${uptime})); timedatectl set-ntp true`;
        let callOff = (): Promise<void> => Promise.resolve();
        return {
            target: `${name} on ${machine.name}`,
            async inject() {
                callOff = await undoLater(ssh, setBack);
                await ssh.run(`timedatectl set-ntp false; date --set=@$((${begun} + ${uptime} + ${60 * minutes}))`);
                await sleep(100);
            },
            async notBitten() {
                const { stdout } = await ssh.run("date +%s");
                const ahead = Number(stdout) - Date.now() / 1000;
                return Math.abs(ahead - 60 * minutes) < 60 ? undefined : `its clock is ${ahead.toFixed(0)} s ahead`;
            },
            async heal() {
                await ssh.run(setBack);
                await callOff();
            },
        };
    },
});

export const clockJumpForward = jump(5);
export const clockJumpBack = jump(-5);
