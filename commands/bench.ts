/**
 * make bench: pgbench (TPC-B-like and read-only) and the ledger's insert, through HAProxy and direct to the primary
 * in alternation, and synchronous against asynchronous. Exit status 0 when it was measured: what is good enough is
 * said in docs/measurements.md, not here. Options come from ARGS:
 *
 *     --seconds N     of one measurement; 10 without it
 *     --repeats N     of the alternation; 4 without it, as its order turns round in every other one
 *     --clients LIST  1,8,32,128 without it
 *     --loads LIST    tpcb-like,read-only,ledger-insert without it
 *     --scale N       of pgbench's tables, 15 MB each; 32 without it. TPC-B with more clients waits for rows that others hold
 *     --name NAME     of the run; reports/bench/NAME.json and .html are written. The time without it; one that is there is refused
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { backupsIdle } from "../drills/backup/runner";
import { Alternation } from "../drills/bench/alternation";
import { compare } from "../drills/bench/comparison";
import { loads } from "../drills/bench/load";
import { groupsOf, type BenchRun } from "../drills/bench/run";
import { Cluster } from "../drills/cluster";
import { assertSameImages } from "../drills/deployed";
import { benchHead, benchRows, renderBenchPage } from "../drills/report/bench-page";
import { reportsDirectory } from "../drills/report/reports-directory";
import { markdownTable } from "../drills/report/markdown";
import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";
import { main } from "./main";
import { chosen, givenArguments, positive } from "./options";
import { revision } from "./revision";

const { values: options } = parseArgs({
    args: givenArguments(),
    options: {
        seconds: { type: "string", default: "10" },
        repeats: { type: "string", default: "4" },
        clients: { type: "string", default: "1,8,32,128" },
        loads: { type: "string", default: loads.map(({ name }) => name).join() },
        scale: { type: "string", default: "32" },
        name: { type: "string" },
    },
});

async function bench(): Promise<number> {
    const [seconds, repeats, scale] = (["seconds", "repeats", "scale"] as const).map((name) =>
        positive(name, options[name]),
    ) as [number, number, number];
    const chosenLoads = chosen("loads", options.loads.split(","), loads).map(({ name }) => name);
    const clients = options.clients.split(",").map((text) => positive("clients", text));
    const begun = new Date().toISOString();
    const name = options.name ?? begun.slice(0, 19).replace(/:/g, "-");
    const file = join(reportsDirectory("bench"), name);
    if (existsSync(`${file}.json`)) {
        throw new ToolchainError(`--name: there is a run ${name} already (${file}.json).`, "Choose another name.");
    }
    mkdirSync(reportsDirectory("bench"), { recursive: true });
    const cluster = await Cluster.open();
    try {
        assertSameImages(cluster.state);
        await cluster.waitUntilRedundant();
        await backupsIdle(cluster);
        const alternation = await Alternation.prepare(cluster, scale);
        const run: BenchRun = {
            ...{ name, stack: cluster.state.stack, revision: revision(), begun },
            ...{ loads: chosenLoads, clients, seconds, repeats, scale },
            host: { cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) },
            ...{ measurements: [], brokenOff: alternation.brokenOff },
        };
        try {
            for (const group of groupsOf(run)) {
                for (let repeat = 0; repeat < repeats; repeat += 1) {
                    const title = `${group.load.name}, ${group.clients} clients, ${repeat + 1}/${repeats}`;
                    run.measurements.push(...(await alternation.repeat(group, repeat, seconds, title)));
                    writeFileSync(`${file}.json`, JSON.stringify(run, undefined, 1));
                    writeFileSync(`${file}.html`, renderBenchPage(run));
                }
            }
        } finally {
            await alternation.clean();
        }
        process.stdout.write(`${markdownTable(benchHead, benchRows(compare(run.measurements)))}\n`);
        say(`every measurement and the report: ${file}.json and .html`);
        return 0;
    } finally {
        cluster.close();
    }
}

main(bench);
