import assert from "node:assert/strict";
import { brokenPromises, summarise } from "../../../drills/judgement";
import type { Fault } from "../../../drills/faults/fault";
import { nobody, type RoundResult } from "../../../drills/round";
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
const timelines = { before: 1, after: 3 };
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
        ["fewer were promoted than must be", { promotions: 5 }, { promotions: 4 }],
        ["one was promoted who had no need to be", {}, { promotions: 2, timelines }],
        ["more were promoted than handed over", { promotions: 5 }, { promotions: 6, timelines }],
        ["nobody is primary at the end", {}, { primary: { before: "postgres-0", after: nobody } }],
        ["a client never came back by itself", {}, { gaveUp: "not every client could write 128 s after the fault" }],
        ["the fault did nothing", {}, { notBitten: "no packet was lost" }],
        ["an entry led writers astray", { failover: "forbidden" }, { promotions: 0, ledToStandby: 1 }],
        ["there was no load", {}, { acknowledged: 99 }],
        ["an instance was hardly watched", {}, { sampled: { "postgres-0": 50, "postgres-1": 4 } }],
        ["an instance was never reached", {}, { sampled: { "postgres-0": 50, "postgres-1": 0 } }],
        ["nothing was watched", {}, { sampled: {} }],
        ["an entry was never read through", {}, { readsPerEntry: { "one:5432": 9, "two:5432": 0 } }],
        ["nobody read on the replicas", {}, { reads: { primary: 90, replica: 0 } }],
    ];
    for (const [what, faultChanges, changes] of red) {
        it(`is broken when ${what}, however quick it was and starved the host`, () => {
            const judged = { ...fault, ...faultChanges };
            const summary = summarise(judged, [round(), round({ ...changes, stolenShare: 0.9 })], timers);
            assert.equal(summary.verdict, "broken");
            assert.ok(summary.reasons.some((reason) => reason.startsWith("round 2: ")));
        });
    }

    it("is broken when one round of many leaves a client without writes for two minutes, before or while it heals", () => {
        const many = Array.from({ length: 39 }, () => round());
        for (const changes of [
            { outageSeconds: 121 },
            { pauseWhileHealingSeconds: 121 },
            { worstClientSeconds: 121 },
        ]) {
            assert.equal(summarise(fault, [...many, round(changes)], timers).verdict, "broken");
        }
        assert.equal(summarise(fault, [...many, round({ outageSeconds: 119 })], timers).verdict, "kept");
    });

    it("leaves out, where everything starts from nothing, the time in which hosts had not begun to", () => {
        const site: Fault = { ...fault, bar: "restart", holdSeconds: 30, awayUntilHealed: true };
        const slow = { outageSeconds: 280, worstClientSeconds: 280, bootSeconds: 230 };
        assert.equal(summarise(site, [round(slow)], timers).verdict, "kept");
        assert.equal(summarise(site, [round({ ...slow, bootSeconds: 200 })], timers).verdict, "late");
        assert.equal(summarise(site, [round({ ...slow, bootSeconds: 180 })], timers).verdict, "broken");
        assert.equal(summarise({ ...site, bar: "machine" }, [round(slow)], timers).verdict, "broken");
    });

    it("is broken when a round did not end, though the others were kept", () => {
        const summary = summarise(fault, [round()], timers, ["the drill was ended"]);
        assert.equal(summary.verdict, "broken");
        assert.deepEqual(summary.reasons, ["a round did not end: the drill was ended"]);
    });

    it("says nothing of when it was redundant where that was while the fault was held", () => {
        const held = { ...fault, holdSeconds: 30 };
        assert.equal(summarise(held, [round()], timers).redundancy, undefined);
        assert.ok(summarise({ ...held, awayUntilHealed: true }, [round()], timers).redundancy !== undefined);
    });

    it("is late when the bar is missed at the 95th percentile, and not judged when the host was starved", () => {
        assert.equal(summarise(fault, [round({ outageSeconds: 5.1 })], timers).verdict, "late");
        assert.equal(summarise(fault, [round({ outageSeconds: 5.1, stolenShare: 0.2 })], timers).verdict, "not judged");
        const heldUp = round({ outageSeconds: 5.1, ownDelaySeconds: 0.3 });
        assert.equal(summarise(fault, [heldUp], timers).verdict, "not judged");
    });

    it("excuses no more than what the host withheld", () => {
        const verdictOf = (changes: Partial<RoundResult>) => summarise(fault, [round(changes)], timers).verdict;
        assert.equal(verdictOf({ outageSeconds: 9.9, stolenShare: 0.5 }), "not judged");
        assert.equal(verdictOf({ outageSeconds: 10.1, stolenShare: 0.5 }), "late");
        assert.equal(verdictOf({ outageSeconds: 119, stolenShare: 0.2 }), "late");
        assert.equal(verdictOf({ outageSeconds: 5.5, ownDelaySeconds: 0.3 }), "late");
        assert.equal(verdictOf({ outageSeconds: 8, ownDelaySeconds: 3.1 }), "not judged");
        assert.equal(verdictOf({ outageSeconds: 6.5, stolenShare: 0.2, ownDelaySeconds: 1.3 }), "late");
    });

    it("holds the time until redundant against what was stolen meanwhile", () => {
        const slow = { redundancySeconds: 61 };
        const promised = { ...fault, redundantWithin: 60 };
        assert.equal(summarise(promised, [round({ ...slow, stolenWhileHealing: 0.5 })], timers).verdict, "not judged");
        assert.equal(summarise(promised, [round({ ...slow, stolenShare: 0.5 })], timers).verdict, "late");
    });

    it("excuses nothing with what disturbed another stretch of time", () => {
        const calm = { stolenShare: 0, ownDelaySeconds: 0 };
        const disturbed = { ownDelaySeconds: 3, worstClientDisturbance: calm };
        const promised = { ...fault, redundantWithin: 60 };
        const verdictOf = (changes: Partial<RoundResult>) =>
            summarise(promised, [round({ ...disturbed, ...changes })], timers).verdict;
        assert.equal(verdictOf({ worstClientSeconds: 30 }), "late");
        assert.equal(verdictOf({ redundancySeconds: 61 }), "late");
        assert.equal(verdictOf({ redundancySeconds: 61, ownDelayWhileHealing: 1.1 }), "not judged");
    });

    it("lets a starved round excuse itself, and no other", () => {
        const starved = round({ outageSeconds: 9, stolenShare: 0.5 });
        const slow = round({ outageSeconds: 9 });
        assert.equal(summarise(fault, [round(), starved], timers).verdict, "not judged");
        assert.equal(summarise(fault, [slow, round({ stolenShare: 0.5 })], timers).verdict, "late");
    });

    it("is late when it is redundant too late, or when one client waits for what no other notices", () => {
        const healing = { ...fault, redundantWithin: 30 };
        assert.equal(summarise(healing, [round({ redundancySeconds: 30 })], timers).verdict, "kept");
        assert.equal(summarise(healing, [round({ redundancySeconds: 31 })], timers).verdict, "late");
        const unaffected = { ...fault, bar: "unaffected" } as const;
        const felt = { outageSeconds: 0.2, worstClientSeconds: 3.1 };
        assert.equal(summarise(unaffected, [round({ ...felt, worstClientSeconds: 2.9 })], timers).verdict, "kept");
        assert.equal(summarise(unaffected, [round(felt)], timers).verdict, "late");
    });

    it("counts a pause while it heals as an outage, and says so", () => {
        const summary = summarise(fault, [round({ pauseWhileHealingSeconds: 7 })], timers);
        assert.equal(summary.verdict, "late");
        assert.equal(summary.outage.max, 7);
    });
});
