import { setTimeout as sleep } from "node:timers/promises";
import { process, signal } from "../machine/processes";
import { healsItself, type Fault } from "./fault";

const times = 5;

export const repeatedKill: Fault = {
    name: "repeated-kill",
    imitates: "each new primary dies within seconds, five in a row, as from a query that ends whoever runs it",
    bar: "frozen",
    failover: "allowed",
    long: true,
    async prepare(cluster) {
        const first = await cluster.primary();
        return {
            target: `${first.name} and its successors`,
            async inject() {
                for (let turn = 1; turn <= times; turn += 1) {
                    const { ssh } = await cluster.nextPrimary(120);
                    await signal(ssh, "KILL", [await process(ssh, "postmaster")]);
                    await sleep(1000);
                }
            },
            heal: healsItself,
        };
    },
};
