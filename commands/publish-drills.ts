/**
 * make publish-drills RUN=NAME: writes the tables of README.md and docs/measurements.md from a run of make drill, and
 * keeps its numbers in docs/runs/NAME.json.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { earlierRun, publish, publishedFile } from "../drills/report/published-run";
import { reportsDirectory } from "../drills/report/reports-directory";
import { fullTable, headlineTable, replaceBetween } from "../drills/report/tables";
import type { DrillRun } from "../drills/run";
import { checkout } from "../offline/checkout";
import { ToolchainError } from "../offline/errors";
import { main } from "./main";
import { writeFormatted } from "./write-formatted";

async function publishDrills(): Promise<number> {
    const name = process.env["RUN"] ?? process.argv[2];
    const file = join(reportsDirectory("drills"), `${name}.json`);
    if (name === undefined || !existsSync(file)) {
        throw new ToolchainError(
            `There is no run ${file}.`,
            'make drill ARGS="--all --rounds 5 --name NAME" makes one.',
        );
    }
    const published = publishedFile(checkout, name);
    const run = publish(earlierRun(file, published) as DrillRun);
    mkdirSync(join(checkout, "docs", "runs"), { recursive: true });
    await writeFormatted(relative(checkout, published), JSON.stringify(run));
    for (const [path, table] of [
        ["README.md", headlineTable(run)],
        [join("docs", "measurements.md"), fullTable(run)],
    ] as const) {
        await writeFormatted(path, replaceBetween(readFileSync(join(checkout, path), "utf8"), "drills", table));
    }
    return 0;
}

main(publishDrills);
