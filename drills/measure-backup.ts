/**
 * Measures what backups cost and how quick they are, for docs/measurements.md. Needs room for about 5 GiB.
 *
 *     node --import tsx drills/measure-backup.ts [--scale 70] [--rounds 3] [--seconds 30] [--only throughput|archiving]
 *
 * scale: of pgbench; 70 is about 1 GiB. The data is left in place for a total loss (test/e2e/data-loss.test.ts).
 */
import { parseArgs } from "node:util";
import { main } from "../commands/main";
import { positive } from "../commands/options";
import { backupRunnerName } from "../components/naming";
import { say } from "../offline/progress";
import { asSuperuser, inContainer, switchSegment } from "./backup/pods";
import { Runner } from "./backup/runner";
import { beforeTheEnd } from "./before-the-end";
import { Cluster } from "./cluster";
import { median } from "./statistics";

const { values: options } = parseArgs({
    options: {
        scale: { type: "string", default: "70" },
        rounds: { type: "string", default: "3" },
        seconds: { type: "string", default: "30" },
        only: { type: "string" },
    },
});
const rounds = positive("rounds", options.rounds);
const scale = positive("scale", options.scale);
const seconds = positive("seconds", options.seconds);

async function measure(): Promise<number> {
    const cluster = await Cluster.open();
    try {
        await cluster.waitUntilRedundant();
        const runner = new Runner(cluster);
        await runner.idle();
        await load(cluster);
        const lines = [
            ...(options.only === "archiving" ? [] : await throughput(cluster, runner)),
            ...(options.only === "throughput" ? [] : await archivingCost(cluster, runner)),
        ];
        process.stdout.write(`${lines.join("\n")}\n`);
        return 0;
    } finally {
        cluster.close();
    }
}

async function load(cluster: Cluster): Promise<void> {
    const size = Number(
        await asSuperuser(cluster, "select coalesce(pg_total_relation_size(to_regclass('pgbench_accounts')), 0);"),
    );
    if (size > scale * 10 * 2 ** 20) {
        return;
    }
    say(`Loading pgbench data of scale ${scale} ...`);
    const [{ name }, database] = [await cluster.primary(), cluster.readWrite[0]?.database];
    const command = `pgbench -i -q -s ${scale} -h /run/postgresql -U postgres ${database}`;
    await inContainer(cluster, name, "postgresql", `${command} > /dev/null 2>&1`);
}

/** Through the stack against the bare command, in the same container with the same settings, alternating. */
async function throughput(cluster: Cluster, runner: Runner): Promise<string[]> {
    const backups = { stack: [] as number[], bare: [] as number[] };
    const restores = { stack: [] as number[], bare: [] as number[] };
    for (let round = 1; round <= rounds; round += 1) {
        say(`Round ${round} of ${rounds}: backups and restores ...`);
        const { lastJob } = await runner.run("/backup?type=full", 1200);
        if (!lastJob?.ok) throw new Error(`the backup failed: ${lastJob?.message}`);
        backups.stack.push(lastJob.seconds);
        await runner.idle();
        backups.bare.push(
            await timed(
                cluster,
                `pgbackrest --config=/etc/pgbackrest/runner.conf --stanza=${cluster.state.cluster} --type=full backup`,
            ),
        );
        const own =
            "cd /usr/local/lib/postgres-ha; PGDATA_PATH=/scratch/measure/pgdata BOOTSTRAP_REPORT=/scratch/measure/report.json BOOTSTRAP_PATIENCE=0 python3 -m backup.bootstrap";
        restores.stack.push(await timed(cluster, own, "mkdir -p /scratch/measure", "rm -rf /scratch/measure"));
        const bare = `pgbackrest --stanza=${cluster.state.cluster} --pg1-path=/scratch/measure/pgdata restore`;
        restores.bare.push(await timed(cluster, bare, "mkdir -p /scratch/measure", "rm -rf /scratch/measure"));
    }
    return [ratio("backup", backups), ratio("restore", restores)];
}

/** Seconds of a command in the runner's container. */
async function timed(cluster: Cluster, command: string, before = "true", after = "true"): Promise<number> {
    const script = `set -e; ${before}; a=$(date +%s.%N); (${command}) > /dev/null; b=$(date +%s.%N); ${after}; echo "$a $b"`;
    const pod = `deploy/${backupRunnerName(cluster.state.cluster)}`;
    const [begin = 0, end = 0] = (await inContainer(cluster, pod, "runner", script)).trim().split(" ").map(Number);
    return end - begin;
}

function ratio(what: string, { stack, bare }: { stack: number[]; bare: number[] }): string {
    const show = (values: number[]) => values.map((value) => value.toFixed(1)).join(" / ");
    const share = (100 * median(bare)) / median(stack);
    return `${what}: through the stack ${show(stack)} s, bare pgbackrest ${show(bare)} s: ${share.toFixed(0)} % of its throughput`;
}

/** TPS with archiving and without, alternating. Without: the command fails, WAL stays and is archived afterwards. */
async function archivingCost(cluster: Cluster, runner: Runner): Promise<string[]> {
    const tps = { on: [] as number[], off: [] as number[] };
    // Whatever ends this: without its command the primary keeps its WAL until the volume is full.
    const reset = () => asSuperuser(cluster, "alter system reset archive_command; select pg_reload_conf();");
    const callOff = beforeTheEnd(reset);
    try {
        await measureArchiving(cluster, runner, tps);
    } finally {
        await reset();
        callOff();
    }
    const show = (values: number[]) => values.map((value) => value.toFixed(0)).join(" / ");
    // Of neighbours: what the host gives changes from minute to minute.
    const costs = tps.on.map((on, round) => 100 * (1 - on / (tps.off[round] ?? NaN)));
    const range = `${Math.min(...costs).toFixed(1)} to ${Math.max(...costs).toFixed(1)} %`;
    return [
        `pgbench: archiving ${show(tps.on)} TPS, not archiving ${show(tps.off)} TPS: ${median(costs).toFixed(1)} % less (${range})`,
    ];
}

async function measureArchiving(cluster: Cluster, runner: Runner, tps: Record<"on" | "off", number[]>): Promise<void> {
    for (let round = 1; round <= rounds; round += 1) {
        // In turn the first: what runs later has the larger tables and the warmer cache.
        const modes = round % 2 === 1 ? (["on", "off"] as const) : (["off", "on"] as const);
        for (const mode of modes) {
            say(`Round ${round} of ${rounds}: pgbench with archiving ${mode} ...`);
            const change =
                mode === "off" ? "alter system set archive_command = 'false'" : "alter system reset archive_command";
            await asSuperuser(cluster, `${change}; select pg_reload_conf();`);
            // What the round before left behind would be archived at this one's cost.
            if (mode === "on") await runner.archived(await switchSegment(cluster), 600);
            // Each begins with the images of whole pages that follow a checkpoint, and none is in the middle of one.
            await asSuperuser(cluster, "checkpoint;");
            tps[mode].push(await pgbench(cluster));
        }
    }
}

async function pgbench(cluster: Cluster): Promise<number> {
    const { name } = await cluster.primary();
    const command = `pgbench -c 8 -j 2 -T ${seconds} -h /run/postgresql -U postgres ${cluster.readWrite[0]?.database} 2>&1`;
    const output = await inContainer(cluster, name, "postgresql", command);
    const found = /tps = ([\d.]+)/.exec(output);
    if (!found) throw new Error(`pgbench: ${output}`);
    return Number(found[1]);
}

main(measure);
