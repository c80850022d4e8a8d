import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { postmasterKill } from "../../../drills/faults/postmaster-kill";
import { renderPage } from "../../../drills/report/page";
import { earlierRun, publish, type PublishedRun } from "../../../drills/report/published-run";
import { fullTable, headlineTable, replaceBetween } from "../../../drills/report/tables";
import { assertSameConditions, conclude, happenedBetween, type DrillRun } from "../../../drills/run";
import { checkout } from "../../../offline/checkout";
import { temporaryDirectory } from "../offline/release-server";
import { recordedRound } from "./recorded-round";

const run = (): DrillRun => {
    const made: DrillRun = {
        ...{ name: "a <run>", stack: "dev", begun: "2026-01-01T00:00:00.000Z", writers: 20 },
        host: { cores: 2, memoryGiB: 24 },
        timers: { ttl: 20, walSenderTimeout: 5 },
        revisions: ["abc1234"],
        skipped: [{ fault: "clock-jump-back", imitates: "a clock", reason: "no clock of its own" }],
        rounds: [0, 1].map((hour) =>
            recordedRound({ fault: postmasterKill.name, begun: `2026-01-01T0${hour}:00:00.000Z` }),
        ),
        ...{ crashed: [], summaries: [], verdict: "red" },
    };
    conclude(made);
    return made;
};

describe("report of a run", () => {
    const directory = temporaryDirectory();

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

    it("keeps every number of every round when it is published, and can be gone on with from that", () => {
        const made = run();
        const folder = directory.path();
        const published = join(folder, "published.json");
        writeFileSync(published, JSON.stringify(publish(made)));
        const again = earlierRun(join(folder, "none.json"), published);
        assert.ok(again !== undefined);
        assert.deepEqual(
            again.rounds,
            made.rounds.map(({ timeline: _timeline, ...numbers }) => numbers),
        );
        conclude(again);
        assert.deepEqual(again.summaries, made.summaries);
        assert.equal(renderPage(again).match(/no picture is kept/g)?.length, 2);
        // What was recorded here comes first: it has the pictures.
        const here = join(folder, "here.json");
        writeFileSync(here, JSON.stringify(made));
        assert.deepEqual(earlierRun(here, join(folder, "none.json")), made);
        assert.deepEqual(earlierRun(here, published), made);
        assert.equal(earlierRun(join(folder, "none.json"), join(folder, "none.json")), undefined);
    });

    it("loses nothing that was published from another checkout, and takes nothing back in that was withdrawn there", () => {
        const [first, second] = run().rounds;
        assert.ok(first !== undefined && second !== undefined);
        const lost = recordedRound({
            ...{ fault: postmasterKill.name, begun: "2026-01-02T00:00:00.000Z", lost: 1 },
            violations: [{ kind: "lost", id: 1, detail: "client 0 was told" }],
        });
        const withdrawn = [{ fault: first.fault, begun: first.begun, reason: "the host was stopped" }];
        const crashed = [{ fault: postmasterKill.name, message: "no end" }];
        const there = { ...run(), rounds: [second, lost], withdrawn, crashed, revisions: ["def5678"] };
        const [here, published] = ["here.json", "published.json"].map((name) => join(directory.path(), name));
        assert.ok(here !== undefined && published !== undefined);
        writeFileSync(here, JSON.stringify(run()));
        writeFileSync(published, JSON.stringify(publish(there)));
        const both = earlierRun(here, published);
        assert.deepEqual(
            both?.rounds.map(({ begun }) => begun),
            [second.begun, lost.begun],
        );
        assert.ok(both.rounds[0]?.timeline !== undefined);
        assert.deepEqual([both.verdict, both.crashed, both.withdrawn], ["red", crashed, withdrawn]);
        assert.deepEqual(both.revisions, ["def5678", "abc1234"]);
        // It was published while the second round was played here.
        const open = { fault: second.fault, begun: second.begun };
        writeFileSync(published, JSON.stringify(publish({ ...run(), rounds: [first], open })));
        assert.deepEqual(earlierRun(here, published)?.crashed, []);
        writeFileSync(published, JSON.stringify(publish({ ...there, writers: 10 })));
        assert.throws(() => earlierRun(here, published), /writers 10, now 20/);
    });

    it("is not gone on with when its rounds were not kept", () => {
        const published = join(directory.path(), "old.json");
        const { rounds: _rounds, ...old } = publish(run());
        writeFileSync(published, JSON.stringify(old));
        assert.throws(() => earlierRun("/nowhere", published), /published without its rounds/);
    });

    it("takes no rounds under other conditions, and names each", () => {
        const made = run();
        assertSameConditions(made, { ...run(), begun: "2026-02-02T00:00:00.000Z" });
        assertSameConditions({ ...made, stack: "" }, { ...run(), stack: "other" });
        const other = { ...run(), stack: "other", writers: 10, timers: { ttl: 9, walSenderTimeout: 5 } };
        const expected = /the stack dev, now other; writers 20, now 10; ttl 20 s, now 9 s$/m;
        assert.throws(() => assertSameConditions(made, other), expected);
    });

    it("takes a round that left no result for one that did not end, and is red", () => {
        const made = { ...run(), open: { fault: postmasterKill.name, begun: "2026-01-01T01:00:00.000Z" } };
        const published = publish(made);
        assert.equal(published.verdict, "red");
        assert.equal(published.summaries[0]?.verdict, "broken");
        assert.match(fullTable(published), /did not end: the drill was ended in the round that began at 2026-01-01T01/);
    });

    it("says what a person has taken out of it", () => {
        const begun = "2026-01-01T01:00:00.000Z";
        const made = { ...run(), withdrawn: [{ fault: postmasterKill.name, begun, reason: "the host was stopped" }] };
        for (const text of [fullTable(publish(made)), renderPage(made)]) assert.match(text, /the host was stopped/);
    });

    it("tells what happened between two rounds, when nobody watched", () => {
        const last = recordedRound({ timelines: { before: 4, after: 5 } });
        const next = (after: number, waitedSeconds: number) =>
            recordedRound({ timelines: { before: after, after }, waitedSeconds });
        assert.deepEqual(happenedBetween(last, next(5, 4)), []);
        assert.match(happenedBetween(last, next(6, 4)).join(), /^1 promotions before the next round began$/);
        assert.match(happenedBetween(last, next(5, 90)).join(), /^the stack was not whole any more, for 90 s$/);
        assert.deepEqual(happenedBetween(recordedRound(), recordedRound()), []);
    });

    it("is refused when it has rounds of a fault that the catalogue does not have", () => {
        const made = { ...run(), rounds: [recordedRound({ fault: "what-was-renamed" })] };
        assert.throws(() => publish(made), /what-was-renamed/);
    });

    it("names the days and the revisions of a run in several sittings", () => {
        const published = publish(run());
        assert.match(headlineTable(published), /of 2026-01-01, verdict green, 1 of .*, revision abc1234\./);
        published.rounds?.push({ ...recordedRound(), begun: "2026-01-03T08:00:00.000Z", revision: "def5678" });
        published.revisions?.push("def5678");
        assert.match(
            headlineTable(published),
            /of 2026-01-01 to 2026-01-03, .*, revision abc1234, def5678 \(1 rounds\)\./,
        );
        const { rounds: _rounds, revisions: _revisions, ...old } = published;
        assert.match(headlineTable(old), /of 2026-01-01, .* ttl 20 s\. Made/);
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
