import { processOf, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

const times = 5;

export const repeatedKill: Fault = {
    name: "repeated-kill",
    imitates: "each new primary dies within seconds, five in a row, as from a query that ends whoever runs it",
    bar: "frozen",
    failover: "expected",
    promotions: times,
    long: true,
    async prepare(cluster) {
        const first = await cluster.primary();
        return {
            target: `${first.name} and its successors`,
            async inject() {
                for (let turn = 1, killed = 0; turn <= times; turn += 1) {
                    const { ssh, timeline } = await cluster.nextPrimary(120, killed);
                    await signal(ssh, "KILL", [await processOf(ssh, "postmaster")]);
                    killed = timeline;
                }
            },
            heal: healsItself,
        };
    },
};
