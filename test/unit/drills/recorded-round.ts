import type { RoundResult } from "../../../drills/round";

/** A round in which everything was kept, with what a test changes about it. */
export const recordedRound = (changes: Partial<RoundResult> = {}): RoundResult => ({
    ...{ fault: "test", target: "postgres-0", begun: "2026-01-01T00:00:00.000Z" },
    ...{ outageSeconds: 2, worstClientSeconds: 2, pauseWhileHealingSeconds: 0, redundancySeconds: 8 },
    ...{ acknowledged: 1000, failed: 0, unknown: 0, lost: 0, violations: [], reads: { primary: 90, replica: 90 } },
    onReplicas: { anomalies: [], operationsBehind: 0 },
    primary: { before: "postgres-0", after: "postgres-1" },
    promotions: 1,
    twoPrimaries: [],
    sampled: { "postgres-0": 50, "postgres-1": 50 },
    stolenShare: 0,
    stolenWhileHealing: 0,
    ownDelaySeconds: 0,
    timeline: {
        binMs: 100,
        acknowledged: [20, 21, 0, 0, 0, 19, 20],
        marks: [
            { at: 200, label: "fault" },
            { at: 500, label: "heal" },
        ],
        roles: [
            { instance: "postgres-0", at: 0, role: "primary" },
            { instance: "postgres-0", at: 200, role: "silent" },
        ],
    },
    ...changes,
});
