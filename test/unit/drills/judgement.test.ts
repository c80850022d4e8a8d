import assert from "node:assert/strict";
import { brokenPromises, summarise } from "../../../drills/judgement";
import type { Fault } from "../../../drills/faults/fault";
import type { RoundResult } from "../../../drills/round";
import { recordedRound as round } from "./recorded-round";

const fault: Fault = {
    name: "test",
    imitates: "nothing",
    bar: "process",
    failover: "allowed",
    prepare: () => Promise.reject(new Error("not used")),
};
const timers = { ttl: 20, walSenderTimeout: 5 };

const lost = { kind: "lost", id: 1, detail: "client 0 was told" } as const;
const sample = { instance: "postgres-0", begin: 0, end: 1, timeline: 1 };

describe("judgement of a round", () => {
    it("keeps quiet about a round in which everything was kept", () => {
        assert.deepEqual(brokenPromises(fault, round()), []);
        assert.equal(summarise(fault, [round(), round()], timers).verdict, "kept");
    });

    const red: [string, Partial<Fault>, Partial<RoundResult>][] = [
        ["an acknowledged write is lost", {}, { violations: [lost], lost: 1 }],
        ["two instances were primary", {}, { twoPrimaries: [{ first: sample, second: sample, why: "both accepted" }] }],
        ["it needs a person", {}, { stuck: "instance postgres-1: stopped" }],
        ["somebody was promoted without need", { failover: "forbidden" }, {}],
        ["nobody was promoted though somebody had to be", { failover: "expected" }, { promotions: 0 }],
        ["there was no load", {}, { acknowledged: 99 }],
        ["an instance was not watched", {}, { sampled: { "postgres-0": 4 } }],
    ];
    for (const [what, faultChanges, changes] of red) {
        it(`is broken when ${what}, however quick it was and starved the host`, () => {
            const judged = { ...fault, ...faultChanges };
            const summary = summarise(judged, [round(), round({ ...changes, stolenShare: 0.9 })], timers);
            assert.equal(summary.verdict, "broken");
            assert.ok(summary.reasons.some((reason) => reason.startsWith("round 2: ")));
        });
    }

    it("is late when the bar is missed at the 95th percentile, and not judged when the host was starved", () => {
        assert.equal(summarise(fault, [round({ outageSeconds: 5.1 })], timers).verdict, "late");
        assert.equal(summarise(fault, [round({ outageSeconds: 5.1, stolenShare: 0.2 })], timers).verdict, "not judged");
        const heldUp = round({ outageSeconds: 5.1, ownDelaySeconds: 0.3 });
        assert.equal(summarise(fault, [heldUp], timers).verdict, "not judged");
    });

    it("counts a pause while it heals as an outage", () => {
        assert.equal(summarise(fault, [round({ pauseWhileHealingSeconds: 7 })], timers).verdict, "late");
    });
});
