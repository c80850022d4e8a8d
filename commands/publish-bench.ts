/**
 * make publish-bench RUN=NAME: writes the table of docs/measurements.md from a run of make bench, and keeps its
 * measurements in docs/runs/bench-NAME.json.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assertComplete, type BenchRun } from "../drills/bench/run";
import { benchTable } from "../drills/report/bench-page";
import { reportsDirectory } from "../drills/report/reports-directory";
import { replaceBetween } from "../drills/report/tables";
import { checkout } from "../offline/checkout";
import { ToolchainError } from "../offline/errors";
import { main } from "./main";
import { writeFormatted } from "./write-formatted";

async function publishBench(): Promise<number> {
    const name = process.env["RUN"] ?? process.argv[2];
    const file = join(reportsDirectory("bench"), `${name}.json`);
    if (name === undefined || !existsSync(file)) {
        throw new ToolchainError(`There is no run ${file}.`, 'make bench ARGS="--name NAME" makes one.');
    }
    const whole = JSON.parse(readFileSync(file, "utf8")) as BenchRun;
    assertComplete(whole);
    const { stack: _stack, ...run } = whole;
    mkdirSync(join(checkout, "docs", "runs"), { recursive: true });
    await writeFormatted(join("docs", "runs", `bench-${name}.json`), JSON.stringify(run));
    const measurements = join("docs", "measurements.md");
    await writeFormatted(
        measurements,
        replaceBetween(readFileSync(join(checkout, measurements), "utf8"), "bench", benchTable(run)),
    );
    return 0;
}

main(publishBench);
