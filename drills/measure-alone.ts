/**
 * Measures what everything around PostgreSQL costs, for docs/measurements.md: TPC-B-like transactions through the stack as it
 * is, past its proxy, and on the same instances with nothing beside them (drills/bench/alone.ts), in alternation.
 *
 *     node --import tsx drills/measure-alone.ts [--clients 16] [--rounds 5] [--seconds 20] [--scale 20]
 */
import { parseArgs } from "node:util";
import { main } from "../commands/main";
import { positive } from "../commands/options";
import { say } from "../offline/progress";
import { asSuperuser } from "./backup/pods";
import { alone } from "./bench/alone";
import type { Path } from "./bench/load";
import { Pgbench } from "./bench/pgbench";
import { Cluster } from "./cluster";
import { median } from "./statistics";

const { values: options } = parseArgs({
    options: {
        clients: { type: "string", default: "16" },
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "20" },
        scale: { type: "string", default: "20" },
    },
});
const [clients, rounds, seconds, scale] = (["clients", "rounds", "seconds", "scale"] as const).map((name) =>
    positive(name, options[name]),
) as [number, number, number, number];

const sides = ["alone", "direct", "haproxy"] as const;
type Side = (typeof sides)[number];

async function measure(): Promise<number> {
    const cluster = await Cluster.open();
    try {
        await cluster.waitUntilRedundant();
        say(`Making pgbench's tables, scale ${scale} ...`);
        const pgbench = await Pgbench.prepare(cluster, scale);
        try {
            process.stdout.write(`${report(await alternate(cluster, pgbench)).join("\n")}\n`);
        } finally {
            await pgbench.clean();
        }
        return 0;
    } finally {
        cluster.close();
    }
}

/** The order turns from round to round: what runs later has the larger tables and the warmer cache. */
async function alternate(cluster: Cluster, pgbench: Pgbench): Promise<Record<Side, number[]>> {
    const tps: Record<Side, number[]> = { alone: [], direct: [], haproxy: [] };
    for (let round = 0; round < rounds; round += 1) {
        for (const [index] of sides.entries()) {
            const side = sides[(index + round) % sides.length] as Side;
            // Each begins with the images of whole pages that follow a checkpoint, and none is in the middle of one.
            await asSuperuser(cluster, "checkpoint;");
            const run = (path: Path) =>
                pgbench.measure({ load: "tpcb-like", clients, path, durability: "synchronous" }, seconds);
            const measured = await (side === "alone" ? alone(cluster, () => run("direct")) : run(side));
            tps[side].push(measured.transactionsPerSecond);
            const { p99 } = measured.latency;
            const stolen = `${(100 * measured.stolenShare).toFixed(0)} % stolen`;
            say(
                `Round ${round + 1} of ${rounds}, ${side}: ${measured.transactionsPerSecond.toFixed(0)} TPS, p99 ${p99.toFixed(1)} ms, ${stolen}`,
            );
        }
    }
    return tps;
}

function report(tps: Record<Side, number[]>): string[] {
    const show = (values: number[]) => values.map((value) => value.toFixed(0)).join(" / ");
    const against = (side: Side) => {
        // Of the same round: what the host gives changes from minute to minute.
        const shares = tps[side].map((value, round) => value / (tps.alone[round] ?? NaN));
        const range = `${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}`;
        return `${side}: ${show(tps[side])} TPS, median ${median(shares).toFixed(2)} of PostgreSQL alone (${range})`;
    };
    return [`alone: ${show(tps.alone)} TPS`, against("direct"), against("haproxy")];
}

void main(measure);
