import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import { duration } from "../offline/progress";

const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END, EVENT_TEST_FAIL } = Mocha.Runner.constants;

/** Of a file that is among those named at the end: where the time of a long run went. */
const longMs = 30_000;

export interface SuiteCounts {
    passed: number;
    failed: number;
    skipped: number;
    /** Each failed test in one line: its title and the first line of its error. */
    failures: string[];
}

/** Mocha's own spec output, and the counts in the file that SUITE_COUNTS names. */
export class SuiteReporter extends Mocha.reporters.Spec {
    constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
        super(runner, options);
        const failed: string[] = [];
        runner.on(EVENT_TEST_FAIL, (test: Mocha.Runnable, error: Error) => {
            const reason = error.message.trim().split("\n")[0] ?? "";
            failed.push(`${test.fullTitle()}: ${reason}`);
            // Mocha tells it only at its end, an hour later.
            process.stdout.write(`      ${reason}\n`);
        });
        const begun = new Map<string, number>();
        const long: [string, number][] = [];
        const isOfFile = ({ parent }: Mocha.Suite): boolean => parent?.root === true;
        runner.on(EVENT_SUITE_BEGIN, (suite: Mocha.Suite) => {
            if (isOfFile(suite)) begun.set(suite.title, Date.now());
        });
        runner.on(EVENT_SUITE_END, (suite: Mocha.Suite) => {
            const tookMs = Date.now() - (begun.get(suite.title) ?? Date.now());
            if (isOfFile(suite) && tookMs > longMs) long.push([suite.title, tookMs]);
        });
        runner.once(EVENT_RUN_END, () => {
            for (const [title, tookMs] of long.sort(([, a], [, b]) => b - a)) {
                process.stdout.write(`      ${duration(tookMs)}  ${title}\n`);
            }
            const { passes, failures, pending } = this.stats;
            const counts: SuiteCounts = { passed: passes, failed: failures, skipped: pending, failures: failed };
            const file = process.env["SUITE_COUNTS"];
            if (file !== undefined) writeFileSync(file, JSON.stringify(counts));
        });
    }
}

// Mocha loads a reporter by file name and takes the module itself for the class.
module.exports = SuiteReporter;
