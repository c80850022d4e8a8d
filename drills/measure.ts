/**
 * Measures what the idle stack uses, for docs/measurements.md. The table goes to stdout, progress to stderr.
 *
 *     node --import tsx drills/measure.ts [--seconds 60]
 */
import { parseArgs } from "node:util";
import { main } from "../commands/main";
import { say } from "../offline/progress";
import { Cluster } from "./cluster";
import { idleTable, measureIdle } from "./resource-use";

const { values: options } = parseArgs({ options: { seconds: { type: "string", default: "60" } } });

async function measure(): Promise<number> {
    const cluster = await Cluster.open();
    try {
        const seconds = Number(options.seconds);
        await cluster.waitUntilRedundant();
        say(`Counting for ${seconds} s what the idle stack uses ...`);
        process.stdout.write(`${idleTable(await measureIdle(cluster, seconds), seconds)}\n`);
        return 0;
    } finally {
        cluster.close();
    }
}

main(measure);
