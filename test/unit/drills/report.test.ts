import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { postmasterKill } from "../../../drills/faults/postmaster-kill";
import { renderPage } from "../../../drills/report/page";
import type { PublishedRun } from "../../../drills/report/published-run";
import { fullTable, headlineTable, replaceBetween } from "../../../drills/report/tables";
import { conclude, type DrillRun } from "../../../drills/run";
import { checkout } from "../../../offline/checkout";
import { recordedRound } from "./recorded-round";

const run = (): DrillRun => {
    const made: DrillRun = {
        ...{ name: "a <run>", stack: "dev", begun: "2026-01-01T00:00:00.000Z", writers: 20 },
        host: { cores: 2, memoryGiB: 24 },
        timers: { ttl: 20, walSenderTimeout: 5 },
        skipped: [{ fault: "clock-jump-back", imitates: "a clock", reason: "no clock of its own" }],
        rounds: [recordedRound({ fault: postmasterKill.name }), recordedRound({ fault: postmasterKill.name })],
        ...{ crashed: [], summaries: [], verdict: "red" },
    };
    conclude(made, [postmasterKill]);
    return made;
};

describe("report of a run", () => {
    it("is one page that loads nothing, with a picture of every round and every skipped fault", () => {
        const page = renderPage(run());
        assert.equal(page.match(/<svg /g)?.length, 2);
        assert.ok(page.includes("no clock of its own"));
        assert.ok(page.includes("a &lt;run&gt;") && !page.includes("a <run>"));
        assert.doesNotMatch(page, /<script|<link|@import|url\(|https?:/);
    });

    it("shows a gap in the acknowledgements of a long round, however narrow its columns are", () => {
        const acknowledged = new Array<number>(6000).fill(20).fill(0, 3000, 3002);
        const long = recordedRound({ timeline: { binMs: 100, acknowledged, marks: [], roles: [] } });
        const made = { ...run(), rounds: [{ ...long, fault: postmasterKill.name }] };
        const path = /class="area" d="([^"]*)"/.exec(renderPage(made))?.[1] ?? "";
        const base = /^M[\d.]+ ([\d.]+)/.exec(path)?.[1];
        assert.ok([...path.matchAll(/L[\d.]+ ([\d.]+)/g)].slice(0, -1).some(([, y]) => y === base));
    });

    it("replaces only what stands between its marks, and refuses a text without them", () => {
        const text = "before\n<!-- begin drills -->\nold\n<!-- end drills -->\nafter";
        const replaced = replaceBetween(text, "drills", "new");
        assert.equal(replaced, "before\n<!-- begin drills -->\n\nnew\n\n<!-- end drills -->\nafter");
        assert.throws(() => replaceBetween("nothing", "drills", "new"), /no marks/);
    });

    it("is what README.md and docs/measurements.md say of the run that they name", async () => {
        for (const [path, table] of [
            ["README.md", headlineTable],
            ["docs/measurements.md", fullTable],
        ] as const) {
            const text = readFileSync(join(checkout, path), "utf8");
            const name = /Run `([^`]+)`/.exec(text)?.[1];
            if (name === undefined) {
                assert.ok(text.includes("No run has been published yet"), `${path} names no run`);
                continue;
            }
            assert.ok(readdirSync(join(checkout, "docs", "runs")).includes(`${name}.json`), `docs/runs/${name}.json`);
            const published = JSON.parse(
                readFileSync(join(checkout, "docs", "runs", `${name}.json`), "utf8"),
            ) as PublishedRun;
            const options = { parser: "markdown", printWidth: 120, tabWidth: 2 };
            assert.equal(await format(replaceBetween(text, "drills", table(published)), options), text, path);
        }
    });
});
