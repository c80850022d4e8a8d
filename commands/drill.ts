/**
 * make drill: breaks the stack under load, in one way after the other, and says whether every acknowledged write
 * survived, whether there were two primaries, and how long nobody could write. Exit status 0: every promise and bar
 * was kept; 1: not; 3: nothing can be said, as a bar was missed on a host that got too little CPU time, or every fault was skipped. Options come from ARGS:
 *
 *     make drill ARGS="--list"
 *     npm run drill -- --fault primary-machine-power-off --rounds 5
 *
 *     --fault NAME    a fault by its name, several times for several; without it the core set
 *     --all           the whole catalogue
 *     --rounds N      of each fault; 5 without it
 *     --minutes N     no round begins after so many
 *     --writers N     clients that write, 20 without it
 *     --name NAME     of the run; reports/drills/NAME.json and .html are written. The time without it. A run of this
 *                     name that is there, or in docs/runs, is gone on with: its rounds count
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkout } from "../offline/checkout";
import { say } from "../offline/progress";
import { Cluster } from "../drills/cluster";
import { assertSameImages } from "../drills/deployed";
import { catalogue, core } from "../drills/faults/catalogue";
import type { Fault } from "../drills/faults/fault";
import { renderPage } from "../drills/report/page";
import { earlierRun, publishedFile } from "../drills/report/published-run";
import { reportsDirectory } from "../drills/report/reports-directory";
import { drill, type DrillRun } from "../drills/run";
import { main } from "./main";
import { chosen, givenArguments, positive } from "./options";
import { revision } from "./revision";
import { printTable } from "./table";

const { values: options } = parseArgs({
    args: givenArguments(),
    options: {
        list: { type: "boolean", default: false },
        all: { type: "boolean", default: false },
        fault: { type: "string", multiple: true },
        rounds: { type: "string", default: "5" },
        minutes: { type: "string" },
        writers: { type: "string", default: "20" },
        name: { type: "string" },
    },
});

function list(): number {
    const mark = (fault: Fault) => (core.includes(fault) ? "core" : fault.long ? "long" : "");
    printTable(
        ["fault", "set", "imitates"],
        catalogue.map((fault) => [fault.name, mark(fault), fault.imitates]),
    );
    return 0;
}

async function run(): Promise<number> {
    if (options.list) {
        return list();
    }
    const standard = options.all ? catalogue : core;
    const faults = options.fault === undefined ? standard : chosen("fault", options.fault, catalogue);
    const [rounds, writers] = [positive("rounds", options.rounds), positive("writers", options.writers)];
    const name = options.name ?? new Date().toISOString().slice(0, 19).replace(/:/g, "-");
    const folder = reportsDirectory("drills");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${name}.json`);
    const page = join(folder, `${name}.html`);
    const continues = earlierRun(file, publishedFile(checkout, name));
    if (continues !== undefined) say(`Run ${name} has ${continues.rounds.length} rounds; going on with it.`);
    const deadline =
        options.minutes === undefined ? undefined : Date.now() + positive("minutes", options.minutes) * 60_000;
    const cluster = await Cluster.open();
    try {
        assertSameImages(cluster.state);
        const save = (seen: DrillRun) => {
            writeFileSync(file, JSON.stringify(seen, undefined, 1));
            writeFileSync(page, renderPage(seen));
        };
        const evidence = join(folder, name);
        const settings = { name, faults, rounds, writers, continues, deadline, revision: revision(), evidence, save };
        const done = await drill(cluster, settings);
        printSummaries(done);
        say(`every round: ${file}\nreport: ${page}`);
        return { green: 0, red: 1, "not judged": 3 }[done.verdict];
    } finally {
        cluster.close();
    }
}

function printSummaries({ summaries, skipped, crashed, verdict }: DrillRun): void {
    const seconds = (value: number) => value.toFixed(2);
    printTable(
        ["fault", "rounds", "outage p50", "p95", "max", "bar (s)", "whole again", "acknowledged", "lost", "verdict"],
        summaries.map((summary) => [
            summary.fault,
            String(summary.rounds),
            ...[summary.outage.p50, summary.outage.p95, summary.outage.max, summary.barSeconds].map(seconds),
            summary.redundancy === undefined ? "–" : seconds(summary.redundancy.p95),
            String(summary.acknowledged),
            String(summary.lost),
            summary.verdict,
        ]),
    );
    for (const { fault, reasons } of summaries) {
        for (const reason of reasons) process.stdout.write(`${fault}: ${reason}\n`);
    }
    for (const { fault, message } of crashed) process.stdout.write(`${fault}: the round did not end: ${message}\n`);
    for (const { fault, reason } of skipped) process.stdout.write(`${fault}: skipped, ${reason}\n`);
    const nothing = summaries.length === 0 && crashed.length === 0 ? " (nothing was drilled)" : "";
    process.stdout.write(`verdict: ${verdict}${nothing}\n`);
}

main(run);
