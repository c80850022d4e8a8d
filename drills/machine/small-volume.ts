import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster, MachineOf } from "../cluster";
import { say } from "../../offline/progress";
import { commandThatEnds, processOf } from "./processes";

/**
 * Puts a folder of an instance onto a file system of its own that has little room, so that it can be filled without
 * filling the disk of the machine. The instance is stopped meanwhile; it must be a replica.
 */
export class SmallVolume {
    /** Folders of an instance that may be on one. */
    private static readonly places = ["", "/pgdata/pg_wal"] as const;

    private constructor(
        private readonly cluster: Cluster,
        private readonly on: MachineOf,
        /** The volume as the machine sees it, and the folder of it. */
        private readonly volume: string,
        private readonly folder: string,
    ) {}

    /** Why an instance's data cannot be put onto one; undefined when it can. */
    async obstacle(spareMiB: number): Promise<string | undefined> {
        const { on } = this;
        const { stdout } = await on.ssh.run(
            `du -sm ${this.folder} | cut -f 1; awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo`,
        );
        const [data = NaN, memory = NaN] = stdout.trim().split("\n").map(Number);
        return data + spareMiB < memory / 2
            ? undefined
            : `what ${on.name} has there (${data} MiB) would be put into memory, of which ${on.machine.name} has ${memory} MiB left`;
    }

    /** Those that a drill left behind which was killed. */
    static async giveAllBack(cluster: Cluster): Promise<void> {
        for (const { name } of cluster.state.instances) {
            for (const volume of await SmallVolume.leftOf(cluster, name)) {
                await volume.free();
                await volume.unmount();
            }
        }
    }

    /** An instance that is nowhere, or on a machine that starts: the round waits for it, and the next drill looks again. */
    private static async leftOf(cluster: Cluster, instance: string): Promise<SmallVolume[]> {
        try {
            const on = cluster.machineOf(await cluster.place(instance));
            const volumes = await Promise.all(SmallVolume.places.map((place) => SmallVolume.of(cluster, on, place)));
            const mounted = await Promise.all(volumes.map((volume) => volume.isMounted()));
            return volumes.filter((_volume, index) => mounted[index]);
        } catch (error) {
            say(`${instance}: whether it has a full volume of a drill is not known: ${(error as Error).message}`);
            return [];
        }
    }

    static async of(
        cluster: Cluster,
        on: MachineOf,
        inside: (typeof SmallVolume.places)[number],
    ): Promise<SmallVolume> {
        const volume = await cluster.dataVolume(on.name);
        return new SmallVolume(cluster, on, volume, `${volume}${inside}`);
    }

    /** `spareMiB`: room that is left beside what is there. */
    async mount(spareMiB: number): Promise<void> {
        const { folder } = this;
        await this.whileStopped(
            `rm -f ${folder}.back; size=$(($(du -sm ${folder} | cut -f 1) + ${spareMiB})); mkdir -p ${folder}.full; ` +
                `mount -t tmpfs -o size=\${size}m drill-full ${folder}.full; chown --reference ${folder} ${folder}.full; ` +
                `chmod --reference ${folder} ${folder}.full; cp -a ${folder}/. ${folder}.full/; ` +
                `mount --bind ${folder}.full ${folder}`,
        );
    }

    private async isMounted(): Promise<boolean> {
        const { exitCode } = await this.on.ssh.run(`mountpoint -q ${this.folder}.full`, { allowFailure: true });
        return exitCode === 0;
    }

    /** Takes all the room that is left, as a forgotten dump does. */
    fill = (): Promise<unknown> =>
        this.on.ssh.run(`cat /dev/zero > ${this.folder}/drill-filler`, { allowFailure: true });

    async freeMiB(): Promise<number> {
        const { stdout } = await this.on.ssh.run(`df --output=avail -BM ${this.folder} | tail -n 1`);
        return Number.parseInt(stdout, 10);
    }

    free = (): Promise<unknown> => this.on.ssh.run(`rm -f ${this.folder}/drill-filler`, { allowFailure: true });

    /** What is on the small one goes back to the disk; undoes half a `mount`, too. */
    async unmount(): Promise<void> {
        const { folder, volume } = this;
        // Patroni may have moved the data directory aside with them.
        const moved = `findmnt --raw --noheadings --output TARGET --source drill-full | grep '^${volume}/' | sort --reverse`;
        const isOver = `findmnt --noheadings --mountpoint ${folder} | grep -q drill-full`;
        // Marked until all of it is there: what is in memory is the only whole copy until then.
        const back = `${folder}.back`;
        await this.whileStopped(
            `if mountpoint -q ${folder}.full && { ${isOver} || test -e ${back}; }; then touch ${back}; if ${isOver}; then umount ${folder}; fi; ` +
                `find ${folder} -mindepth 1 -delete; cp -a ${folder}.full/. ${folder}/; rm -f ${folder}/drill-filler; sync; rm ${back}; fi; ` +
                `if mountpoint -q ${folder}.full; then umount ${folder}.full; fi; ` +
                `for place in $(${moved}); do umount $place; done; rm -d -f ${folder}.full`,
        );
    }

    /**
     * k3s stops first: its kubelet would start the container again at once. Containers live on without it. All in one shell, which
     * outlives its connection, and one at a time: whoever tries again waits for the one before.
     */
    private async whileStopped(command: string): Promise<void> {
        const { ssh } = this.on;
        const start = "systemctl start k3s 2>/dev/null || systemctl start k3s-agent";
        await ssh.run(
            `exec 9> /run/drill-full; flock 9; set -e; trap '${start}' EXIT; ` +
                "systemctl stop $(systemctl list-units --plain --no-legend 'k3s*.service' | cut -d ' ' -f 1); " +
                `${commandThatEnds("patroni", 60)}; ${command}`,
            { timeoutSeconds: 1800 },
        );
        for (let attempt = 0; attempt < 120; attempt += 1) {
            if (await processOf(ssh, "postmaster").then(Boolean, () => false)) break;
            await sleep(1000);
        }
        await this.cluster.waitUntilHealed(300);
    }
}
