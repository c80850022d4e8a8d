import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster";
import { healsItself, type Fault } from "./fault";

const switchovers = (name: string, imitates: string, times: number): Fault => ({
    name,
    imitates,
    bar: "planned",
    failover: times % 2 === 1 ? "expected" : "allowed",
    promotions: times,
    long: times > 1,
    async prepare(cluster) {
        const { name: primary } = await cluster.primary();
        return {
            target: times === 1 ? primary : `${primary} and its successors`,
            async inject() {
                for (let turn = 1; turn <= times; turn += 1) {
                    await switchOver(cluster);
                    if (turn < times) {
                        await cluster.waitUntilHealed();
                        await sleep(1000);
                    }
                }
            },
            heal: healsItself,
        };
    },
});

async function switchOver(cluster: Cluster): Promise<void> {
    const [primary, standby] = await Promise.all([cluster.primary(), cluster.standby()]);
    await cluster.askPatroni("POST", "/switchover", { leader: primary.name, candidate: standby.name });
}

export const switchover = switchovers(
    "switchover",
    "an operator hands the primary over to the standby, as before maintenance of a machine",
    1,
);

export const switchoverTwentyTimes = switchovers(
    "switchover-20",
    "twenty switchovers one after the other, as when every machine is maintained again and again",
    20,
);
