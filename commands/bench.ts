/**
 * make bench: pgbench (TPC-B-like and read-only) and the ledger's insert, through HAProxy and direct to the primary
 * in alternation, and synchronous against asynchronous. Exit status 0 when it was measured: what is good enough is
 * said in docs/measurements.md, not here. Options come from ARGS:
 *
 *     --seconds N     of one measurement; 10 without it
 *     --repeats N     of the alternation; 3 without it
 *     --clients LIST  1,8,32,128 without it
 *     --loads LIST    tpcb-like,read-only,ledger-insert without it
 *     --scale N       of pgbench's tables, 15 MB each; 10 without it
 *     --name NAME     of the run; reports/bench/NAME.json and .html are written. The time without it
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compare } from "../drills/bench/comparison";
import { casesOf, loads, type Measurement } from "../drills/bench/load";
import { Pgbench } from "../drills/bench/pgbench";
import { Cluster } from "../drills/cluster";
import { benchHead, benchRows, renderBenchPage } from "../drills/report/bench-page";
import { reportsDirectory } from "../drills/report/reports-directory";
import { markdownTable } from "../drills/report/markdown";
import { say, step } from "../offline/progress";
import { main } from "./main";
import { chosen, positive } from "./options";

const given = (process.env["ARGS"] ?? "").split(/\s+/).filter((word) => word !== "");

const { values: options } = parseArgs({
    args: [...process.argv.slice(2), ...given],
    options: {
        seconds: { type: "string", default: "10" },
        repeats: { type: "string", default: "3" },
        clients: { type: "string", default: "1,8,32,128" },
        loads: { type: "string", default: loads.map(({ name }) => name).join() },
        scale: { type: "string", default: "10" },
        name: { type: "string" },
    },
});

async function bench(): Promise<number> {
    const [seconds, repeats, scale] = (["seconds", "repeats", "scale"] as const).map((name) =>
        positive(name, options[name]),
    ) as [number, number, number];
    const chosenLoads = chosen("loads", options.loads.split(","), loads);
    const clients = options.clients.split(",").map((text) => positive("clients", text));
    const begun = new Date().toISOString();
    const name = options.name ?? begun.slice(0, 19).replace(/:/g, "-");
    const folder = reportsDirectory("bench");
    mkdirSync(folder, { recursive: true });
    const cluster = await Cluster.open();
    const measurements: Measurement[] = [];
    const save = () => {
        const run = {
            ...{ name, stack: cluster.state.stack, begun, seconds, repeats, scale },
            host: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) },
            comparisons: compare(measurements),
            stolenShare: Math.max(0, ...measurements.map(({ stolenShare }) => stolenShare)),
        };
        writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...run, measurements }, undefined, 1));
        writeFileSync(join(folder, `${name}.html`), renderBenchPage(run));
    };
    try {
        await cluster.waitUntilHealed();
        const pgbench = await step("making the tables", () => Pgbench.prepare(cluster, scale));
        try {
            for (const group of chosenLoads.flatMap((load) => clients.map((count) => ({ load, clients: count })))) {
                for (let repeat = 0; repeat < repeats; repeat += 1) {
                    const title = `${group.load.name}, ${group.clients} clients, ${repeat + 1}/${repeats}`;
                    await step(title, async (progress) => {
                        for (const kase of casesOf(group, repeat)) {
                            progress.detail(`${kase.path}, ${kase.durability}`);
                            const measured = await pgbench.measure(kase, seconds);
                            measurements.push(measured);
                            say(
                                `    ${kase.path}, ${kase.durability}: ${measured.transactionsPerSecond.toFixed(0)} tps, ` +
                                    `p99 ${measured.latency.p99.toFixed(1)} ms`,
                            );
                        }
                    });
                    save();
                }
            }
        } finally {
            await pgbench.clean();
        }
        process.stdout.write(`${markdownTable(benchHead, benchRows(compare(measurements)))}\n`);
        say(`every measurement and the report: ${join(folder, name)}.json and .html`);
        return 0;
    } finally {
        cluster.close();
    }
}

main(bench);
