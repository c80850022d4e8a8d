import assert from "node:assert/strict";
import { backupDefaults } from "../../../components/pgbackrest/backup-args";
import { cronProblem, scheduleProblems } from "../../../components/pgbackrest/schedule";

describe("a backup schedule", () => {
    for (const expression of ["0 1 * * 0", "*/15 * * * *", "0 0,12 1-15 1,6 1-5", "59 23 31 12 7", "5 4 * * */2"]) {
        it(`may be ${expression}`, () => assert.equal(cronProblem(expression), undefined));
    }

    const wrong = {
        "0 1 * *": "has 4 fields",
        "60 1 * * 0": '"60" is no minute',
        "0 24 * * 0": '"24" is no hour',
        "0 1 0 * *": '"0" is no day of month',
        "0 1 * 13 *": '"13" is no month',
        "0 1 * * 8": '"8" is no day of week',
        "0 5-3 * * *": '"5-3" is no hour',
        "*/0 * * * *": '"*/0" is no minute',
        "@daily": "has 1 fields",
        "0 1 * * sun": '"sun" is no day of week',
        "0 1 ,1 * *": '"" is no day of month',
    };
    for (const [expression, message] of Object.entries(wrong)) {
        it(`may not be ${expression}`, () => assert.ok(cronProblem(expression)?.includes(message)));
    }

    it("names every wrong expression by its path", () => {
        const problems = scheduleProblems({ full: "x", incremental: "0 * * * *", restoreTest: "61 * * * *" });
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["backup.schedule.full", "backup.schedule.restoreTest"],
        );
    });

    it("has defaults that are right", () => assert.deepEqual(scheduleProblems(backupDefaults.schedule), []));
});
