/**
 * Measures the running stack, for docs/measurements.md. Tables go to stdout, progress to stderr, every round to a file.
 *
 *     node --import tsx drills/measure.ts --rounds 5 [--fault postmaster-kill] [--json measurements.json]
 *     node --import tsx drills/measure.ts idle [--seconds 60]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { main } from "../commands/main";
import { ToolchainError } from "../offline/errors";
import { say } from "../offline/progress";
import { Cluster } from "./cluster";
import type { Fault } from "./faults/fault";
import { postmasterKill } from "./faults/postmaster-kill";
import { primaryMachinePowerOff } from "./faults/primary-machine-power-off";
import { primaryPodDelete } from "./faults/primary-pod-delete";
import { faultTable, idleTable } from "./report";
import { measureIdle } from "./resource-use";
import { runRound, type RoundResult } from "./round";

const faults: Fault[] = [postmasterKill, primaryPodDelete, primaryMachinePowerOff];

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        rounds: { type: "string", default: "5" },
        fault: { type: "string", multiple: true },
        seconds: { type: "string", default: "60" },
        json: { type: "string", default: "measurements.json" },
    },
});

function chosenFaults(): Fault[] {
    const wanted = options.fault ?? faults.map(({ name }) => name);
    return wanted.map((name) => {
        const fault = faults.find((candidate) => candidate.name === name);
        if (fault === undefined) {
            const names = faults.map((candidate) => candidate.name).join(", ");
            throw new ToolchainError(`There is no fault ${name}.`, `Choose of: ${names}.`);
        }
        return fault;
    });
}

async function measureFaults(cluster: Cluster): Promise<number> {
    const results: RoundResult[] = [];
    for (const fault of chosenFaults()) {
        for (let round = 1; round <= Number(options.rounds); round += 1) {
            const result = await runRound(cluster, fault);
            results.push(result);
            writeFileSync(options.json, JSON.stringify({ results }, undefined, 2));
            say(
                `${fault.name} ${round}/${options.rounds} (${result.target}): outage ${result.outageSeconds.toFixed(2)} s, ` +
                    `whole again after ${result.healSeconds.toFixed(1)} s, ${result.acknowledged} acknowledged, ` +
                    `${result.lost} lost, ${result.twoPrimaries.length} moments with two primaries`,
            );
        }
    }
    process.stdout.write(`${faultTable(results)}\n`);
    const broken = results.some(({ violations, twoPrimaries }) => violations.length + twoPrimaries.length > 0);
    return broken ? 1 : 0;
}

async function measureIdleStack(cluster: Cluster): Promise<number> {
    const seconds = Number(options.seconds);
    await cluster.waitUntilRedundant();
    say(`Counting for ${seconds} s what the idle stack uses ...`);
    const use = await measureIdle(cluster, seconds);
    writeFileSync(options.json, JSON.stringify({ idle: Object.fromEntries(use) }, undefined, 2));
    process.stdout.write(`${idleTable(use, seconds)}\n`);
    return 0;
}

async function measure(): Promise<number> {
    const cluster = await Cluster.open();
    try {
        return positionals.includes("idle") ? await measureIdleStack(cluster) : await measureFaults(cluster);
    } finally {
        cluster.close();
    }
}

main(measure);
