import assert from "node:assert/strict";
import fc from "fast-check";
import {
    deriveTimers,
    objectiveProblems,
    patroniFloors,
    timerProblems,
    worstCaseMachineLoss,
    type Timers,
} from "../../components/recovery";

const shortest = 14;
const legalObjective = fc
    .oneof(fc.integer({ min: shortest, max: 120 }), fc.double({ min: shortest, max: 120, noNaN: true }))
    .map((rto) => ({ rto, rpo: 0 as const }));

describe("timers derived from the objective", () => {
    it("are never refused or silently changed further down, whatever legal objective is asked for", () => {
        fc.assert(fc.property(legalObjective, (objective) => timerProblems(deriveTimers(objective)).length === 0));
    });

    it("keep the promise: the worst case of a lost machine stays within the objective", () => {
        fc.assert(
            fc.property(legalObjective, (objective) => {
                assert.deepEqual(objectiveProblems(objective), []);
                const worst = worstCaseMachineLoss(deriveTimers(objective));
                assert.ok(worst <= objective.rto, `${worst} s for an objective of ${objective.rto} s`);
            }),
        );
    });

    it("obey Patroni's own rule loop_wait + 2 * retry_timeout <= ttl, and its floors", () => {
        fc.assert(
            fc.property(legalObjective, (objective) => {
                const { ttl, loopWait, retryTimeout } = deriveTimers(objective).patroni;
                assert.ok(loopWait + 2 * retryTimeout <= ttl);
                assert.ok(ttl >= patroniFloors.ttl && loopWait >= patroniFloors.loopWait);
                assert.ok(retryTimeout >= patroniFloors.retryTimeout);
                assert.ok([ttl, loopWait, retryTimeout].every(Number.isInteger), "Patroni's timers are whole seconds");
            }),
        );
    });

    it("only grow with the objective", () => {
        fc.assert(
            fc.property(legalObjective, fc.integer({ min: 0, max: 60 }), (objective, more) => {
                const tight = deriveTimers(objective).patroni;
                const loose = deriveTimers({ ...objective, rto: objective.rto + more }).patroni;
                assert.ok(loose.ttl >= tight.ttl && loose.retryTimeout >= tight.retryTimeout);
            }),
        );
    });

    it("are for the default of 16 s exactly these", () => {
        assert.deepEqual(deriveTimers({ rto: 16, rpo: 0 }), {
            patroni: { ttl: 9, loopWait: 1, retryTimeout: 4, primaryStartTimeout: 0, primaryStopTimeout: 10 },
            etcd: { heartbeatMs: 100, electionMs: 500 },
            haproxy: { interMs: 1000, fastinterMs: 500, downinterMs: 500, fall: 2, rise: 1, checkTimeoutMs: 2000 },
            replication: { walSenderTimeout: 5, walReceiverTimeout: 5 },
        });
    });

    it("reach Patroni's shortest lock time at the shortest objective", () => {
        assert.equal(deriveTimers({ rto: shortest, rpo: 0 }).patroni.ttl, 7);
    });

    it("elect in etcd after 500 ms below 20 s and after 1 s from there on", () => {
        assert.equal(deriveTimers({ rto: 19.9, rpo: 0 }).etcd.electionMs, 500);
        assert.equal(deriveTimers({ rto: 20, rpo: 0 }).etcd.electionMs, 1000);
    });
});

describe("a recovery objective", () => {
    it("is refused below what the shortest lock time allows, naming the least that is possible", () => {
        fc.assert(
            fc.property(fc.double({ min: -1000, max: shortest, maxExcluded: true, noNaN: true }), (rto) => {
                const problems = objectiveProblems({ rto, rpo: 0 });
                assert.deepEqual(
                    problems.map(({ path }) => path),
                    ["recovery.objective.rto"],
                );
                assert.match(problems[0]?.message ?? "", /14 s in the worst case; use 14 to 120$/);
            }),
        );
    });

    it("is refused above 120 s and when it is no number", () => {
        for (const rto of [120.5, 1e9, Infinity, NaN]) {
            assert.deepEqual(
                objectiveProblems({ rto, rpo: 0 }).map(({ path }) => path),
                ["recovery.objective.rto"],
                String(rto),
            );
        }
        assert.match(objectiveProblems({ rto: 200, rpo: 0 })[0]?.message ?? "", /200 s is longer .*; use 14 to 120$/);
    });

    it("is refused when it allows lost writes, together with a bad rto", () => {
        const problems = objectiveProblems({ rto: 1, rpo: 5 as 0 });
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["recovery.objective.rto", "recovery.objective.rpo"],
        );
        assert.equal(problems[1]?.message, "5 is not offered; every acknowledged write is kept, use 0");
    });
});

describe("illegal timers", () => {
    const good = deriveTimers({ rto: 30, rpo: 0 });
    const refused = (change: Partial<Timers>) => timerProblems({ ...good, ...change });

    it("are refused below each of Patroni's floors, by name", () => {
        for (const [field, floor] of Object.entries(patroniFloors)) {
            const problems = refused({ patroni: { ...good.patroni, [field]: floor - 0.5 } });
            assert.equal(problems[0]?.path, `recovery.timers.patroni.${field}`);
            assert.match(problems[0]?.message ?? "", new RegExp(`silently raise it; use ${floor} or more$`));
        }
    });

    it("are refused when two retries and a loop do not fit into the lock time", () => {
        const problems = refused({ patroni: { ...good.patroni, ttl: 13, retryTimeout: 7 } });
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["recovery.timers.patroni"],
        );
        assert.match(
            problems[0]?.message ?? "",
            /\(15 s\) must not exceed ttl \(13 s\).*raise ttl or lower retryTimeout$/,
        );
    });

    it("are refused when an etcd election is shorter than five heartbeats", () => {
        const problems = refused({ etcd: { heartbeatMs: 100, electionMs: 499 } });
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["recovery.timers.etcd.electionMs"],
        );
        assert.match(problems[0]?.message ?? "", /use 500 or more$/);
        assert.deepEqual(refused({ etcd: { heartbeatMs: 100, electionMs: 500 } }), []);
    });

    it("are refused when etcd would raise the lease", () => {
        const problems = refused({ etcd: { heartbeatMs: 100, electionMs: 16_000 } });
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["recovery.timers.patroni.ttl"],
        );
    });

    it("are all named at once", () => {
        const patroni = { ...good.patroni, ttl: 5, loopWait: 0, retryTimeout: 2.9 };
        const paths = refused({ patroni, etcd: { heartbeatMs: 1000, electionMs: 4000 } }).map(({ path }) => path);
        assert.deepEqual(paths.sort(), [
            "recovery.timers.etcd.electionMs",
            "recovery.timers.patroni",
            "recovery.timers.patroni.loopWait",
            "recovery.timers.patroni.retryTimeout",
            "recovery.timers.patroni.ttl",
            "recovery.timers.patroni.ttl",
        ]);
    });
});
