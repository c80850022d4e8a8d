import { anySession } from "../ledger/table";
import { SmallVolume } from "../machine/small-volume";
import type { Fault } from "./fault";

/** More than the room that is left, so that it runs out whatever is recycled. */
const megabytesWritten = 400;

/** Room until the fault, for what the instance writes while it catches up and becomes the primary. */
const spareMiB = 1024;

/** PostgreSQL's code for a volume that has no room. */
const diskFull = "53100";
/** Less than a segment of WAL. */
const fullMiB = 16;

const fullVolume = (name: string, imitates: string, inside: "" | "/pgdata/pg_wal"): Fault => ({
    name,
    imitates,
    bar: "frozen",
    failover: "allowed",
    awayUntilHealed: true,
    holdSeconds: 60,
    long: true,
    async obstacle(cluster) {
        const replica = cluster.machineOf(await cluster.asynchronousReplica());
        return (await SmallVolume.of(cluster, replica, inside)).obstacle(spareMiB);
    },
    async prepare(cluster) {
        const replica = cluster.machineOf(await cluster.asynchronousReplica());
        const volume = await SmallVolume.of(cluster, replica, inside);
        let switchovers = 0;
        const giveBack = async (): Promise<void> => {
            await volume.free();
            try {
                await cluster.waitUntilHealed(300);
                if ((await cluster.primary()).name === replica.name) {
                    switchovers += await cluster.makePrimary((await cluster.standby()).name);
                }
            } finally {
                // Healed or not: what is in memory only is gone with the machine's power.
                await volume.unmount();
            }
        };
        try {
            await volume.mount(spareMiB);
            switchovers += await cluster.makePrimary(replica.name);
        } catch (error) {
            await giveBack();
            throw error;
        }
        let room: string | undefined = "nothing was written";
        return {
            target: `${replica.name} on ${replica.machine.name}`,
            async inject() {
                await volume.fill();
                // Segments that are kept for later would last for minutes under the drill's own load.
                const session = await anySession(cluster.readWrite, 5);
                session
                    .query(
                        `create temporary table filler as select repeat(md5(row::text), 32)
                        from generate_series(1, ${megabytesWritten} * 1000) as row`,
                    )
                    .catch(() => undefined);
                room = await session
                    .query("insert into drills.writes select 'filler', row, 0 from generate_series(1, 2000000) as row")
                    .then(
                        () => "there was room for everything",
                        async (error: Error & { code?: string }) => {
                            // With the primary gone nobody says why; the volume does.
                            const isFull = error.code === diskFull || (await volume.freeMiB()) < fullMiB;
                            return isFull ? undefined : `the insert ended otherwise: ${error.message}`;
                        },
                    );
                session.destroy();
            },
            notBitten: async () => room,
            heal: giveBack,
            ownPromotions: () => switchovers,
        };
    },
});

export const walVolumeFull = fullVolume(
    "wal-volume-full",
    "the primary's WAL volume is full, and space is made a minute later",
    "/pgdata/pg_wal",
);

export const dataVolumeFull = fullVolume(
    "data-volume-full",
    "the primary's data volume is full, and space is made a minute later",
    "",
);
