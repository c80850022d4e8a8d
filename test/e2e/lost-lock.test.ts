import assert from "node:assert/strict";
import { runLab, type LabRound } from "../../drills/lab/round";
import { clockSet } from "../../drills/lab/scenarios/clock-set";
import { divergedConfirms } from "../../drills/lab/scenarios/diverged-confirms";
import { lockLostBeforePromotion } from "../../drills/lab/scenarios/lock-lost-before-promotion";
import { lockVanished } from "../../drills/lab/scenarios/lock-vanished";
import { lostInTurn, nobodyConfirms } from "../../drills/lab/scenarios/nobody-confirms";
import { noLeader } from "../../drills/lab/scenarios/no-leader";
import { readsCutOff } from "../../drills/lab/scenarios/reads-cut-off";
import { type Scenario } from "../../drills/lab/scenarios/scenario";
import { standbyAhead } from "../../drills/lab/scenarios/standby-ahead";
import {
    controlFileLost,
    dataDamaged,
    halfReceived,
    onlyOneDamaged,
    pageDamaged,
    primaryLostThen,
    settingRefused,
    walGone,
} from "../../drills/lab/scenarios/past-mending";
import { rewindCutOff } from "../../drills/lab/scenarios/rewind-cut-off";
import { streamsCut } from "../../drills/lab/scenarios/streams-cut";
import { twoFrozen, twoFrozenQuorum } from "../../drills/lab/scenarios/two-frozen";
import { unseenPromotion } from "../../drills/lab/scenarios/unseen-promotion";
import { volumeFull, volumeFullCrash } from "../../drills/lab/scenarios/volume-full";
import { allPatches, chosenPatches } from "../../drills/lab/variant";
import { skipWhenLate } from "./support";

/**
 * The loss and the stuck state that the patches to Patroni close, with and without them, on the loopback lab: it needs
 * the engine and the images of the stack, not the stack itself. One round each; `drills/lab.ts` makes more, and with
 * each patch alone.
 */
/** The patches that were there before the one that a test is about. */
const patchesBefore = (number: string): string =>
    allPatches()
        .filter((patch) => patch < number)
        .join(",");

describe("the loopback lab", function () {
    this.timeout(900_000);
    beforeEach(skipWhenLate);

    async function play(scenario: Scenario, patches: string): Promise<LabRound> {
        for await (const round of runLab(scenario, chosenPatches(patches), 1)) {
            console.log(
                `measured: ${scenario.name}, patches ${patches}: ${round.lost} of ${round.acknowledged} lost; ${round.note}`,
            );
            return round;
        }
        return assert.fail("no round was played");
    }

    /** The first of some rounds that shows what it is for: on a starved host a race goes the other way at times. */
    async function shows(
        scenario: Scenario,
        patches: string,
        isShown: (round: LabRound) => boolean,
        rounds = 5,
    ): Promise<LabRound> {
        for (let attempt = 0; attempt < rounds; attempt += 1) {
            const round = await play(scenario, patches).catch((error: unknown) => {
                console.log(`${scenario.name}: ${(error as Error).message}`);
            });
            if (round !== undefined && isShown(round)) return round;
        }
        return assert.fail(`${rounds} rounds of ${scenario.name} do not show it any more`);
    }

    /** In each the primary gives way with the patches, writes go on, and nothing is lost. */
    async function giveWay(...scenarios: Scenario[]): Promise<void> {
        for (const scenario of scenarios) {
            const { stuck, lost, acknowledged } = await play(scenario, "all");
            assert.ok(acknowledged >= 25);
            assert.deepEqual({ stuck, lost }, { stuck: false, lost: 0 });
        }
    }

    for (const scenario of [lockVanished, noLeader]) {
        it(`loses acknowledged rows in ${scenario.name} with Patroni as released: the lab shows what it is for`, async () => {
            await shows(scenario, "none", ({ lost }) => lost > 0);
        });

        it(`loses nothing in ${scenario.name} with the patches`, async () => {
            const { lost, acknowledged } = await play(scenario, "all");
            assert.ok(acknowledged >= 25);
            assert.equal(lost, 0);
        });
    }

    for (const number of ["20", "30", "40"]) {
        it(`loses nothing in lock-vanished with patch ${number} alone: each is a defence by itself`, async () => {
            const { lost, acknowledged } = await play(lockVanished, number);
            assert.ok(acknowledged >= 25);
            assert.equal(lost, 0);
        });
    }

    it("has the new primary receive what the other standby has more, which had to be rewound without it", async () => {
        const isRewound = ({ note }: LabRound): boolean => !note.includes("rewound 0 times");
        const without = await shows(standbyAhead, patchesBefore("90"), isRewound);
        const received = await play(standbyAhead, "all");
        assert.equal(without.lost + received.lost, 0);
        assert.ok(!isRewound(received), received.note);
        assert.match(received.note, /received from member-\d/, "nobody was ahead: the round shows nothing");
    });

    it("promotes nobody by a lock that another has had since, as it did without the patch", async () => {
        await shows(
            lockLostBeforePromotion,
            patchesBefore("95"),
            ({ promotedByOldLock }) => promotedByOldLock === true,
        );
        await shows(lockLostBeforePromotion, "all", ({ promotedByOldLock, lost, acknowledged, note }) => {
            assert.ok(acknowledged >= 25);
            assert.deepEqual({ promotedByOldLock, lost }, { promotedByOldLock: false, lost: 0 });
            return /omebody else led since/.test(note);
        });
    });

    it("makes a member anew whose timeline was begun by another promotion than the primary's of the same number", async () => {
        // The killed one lives long enough in some rounds to leave the old primary out of /failsafe: nobody leads then.
        await shows(unseenPromotion, patchesBefore("97"), ({ begunTwice }) => begunTwice === true, 8);
        const isBack = ({ begunTwice, lost, acknowledged, stuck }: LabRound): boolean => {
            assert.deepEqual({ begunTwice, lost }, { begunTwice: false, lost: 0 });
            return acknowledged >= 25 && !stuck;
        };
        await shows(unseenPromotion, "all", isBack, 8);
    });

    it("has a primary give way that no standby reaches, which kept the lock for ever", async () => {
        await shows(nobodyConfirms, patchesBefore("98"), ({ stuck }) => stuck);
        await giveWay(nobodyConfirms, lostInTurn);
    });

    it("has a primary give way whose volume is full, which kept the lock until a person had made space", async () => {
        await shows(volumeFull, patchesBefore("96"), ({ stuck }) => stuck);
        await giveWay(volumeFull, volumeFullCrash);
    });

    /** A standby that is broken comes back by itself, and nothing is lost. */
    async function comesBack(scenario: Scenario, expected: { madeAnew: boolean }, says = /./): Promise<void> {
        const { stuck, lost, madeAnew, acknowledged, note } = await play(scenario, "all");
        assert.ok(acknowledged >= 20);
        assert.deepEqual({ stuck, lost, madeAnew }, { stuck: false, lost: 0, ...expected });
        assert.match(note, says);
    }

    it("starts a standby that was interrupted before a fork, with what it has, which never came back without it", async () => {
        await shows(halfReceived, patchesBefore("93"), ({ stuck }) => stuck);
        await comesBack(halfReceived, { madeAnew: false });
    });

    it("copies a member anew whose pg_rewind was cut off, which led without rows that were acknowledged", async () => {
        await shows(rewindCutOff, patchesBefore("91"), ({ madeAnew, lost }) => madeAnew === false && lost > 0);
        const { madeAnew, lost, acknowledged } = await play(rewindCutOff, "all");
        assert.ok(acknowledged >= 100);
        assert.deepEqual({ madeAnew, lost }, { madeAnew: true, lost: 0 });
    });

    it("copies a primary that has a damaged page, which no base backup survived without the patch", async () => {
        await shows(pageDamaged, patchesBefore("92"), ({ stuck }) => stuck);
        await comesBack(pageDamaged, { madeAnew: true });
    });

    it("makes a standby anew that cannot come back with what it has, and keeps the data of one that refuses a setting", async () => {
        // Side by side: they wait most of the time.
        const outcomes = await Promise.allSettled([
            comesBack(dataDamaged, { madeAnew: true }),
            comesBack(onlyOneDamaged, { madeAnew: true }, /put aside 1 times, left of it: nothing/),
            comesBack(controlFileLost, { madeAnew: true }),
            comesBack(walGone, { madeAnew: true }),
            comesBack(primaryLostThen, { madeAnew: false }, /data taken back 1 times/),
            comesBack(settingRefused, { madeAnew: false }),
        ]);
        for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    });

    it("keeps a primary whose clock is set, which lost its lock by it without the patch", async () => {
        await shows(clockSet, patchesBefore("60"), ({ gaveWay }) => gaveWay === true);
        const { gaveWay, lost } = await play(clockSet, "all");
        assert.deepEqual({ gaveWay, lost }, { gaveWay: false, lost: 0 });
    });

    it("offers no reads of a replica that cannot know how old they are, as it did without the patch", async () => {
        await shows(readsCutOff, patchesBefore("99"), ({ readsOfAnyAge }) => readsOfAnyAge === true);
        assert.equal((await play(readsCutOff, "all")).readsOfAnyAge, false);
    });

    it("has a diverged standby confirm what it never received with Patroni as released, and not with the patches", async () => {
        await shows(divergedConfirms, "50", ({ confirmedUnseen }) => confirmedUnseen === true);
        assert.equal((await play(divergedConfirms, "all")).confirmedUnseen, false);
    });

    it("finds nobody to promote in streams-cut with Patroni as released", async () => {
        await shows(streamsCut, "none", ({ stuck }) => stuck);
    });

    it("loses acknowledged rows to two frozen Patronis in quorum mode, and nothing in the stack's own", async () => {
        await shows(twoFrozenQuorum, "all", ({ lost }) => lost > 0);
        const { lost, acknowledged } = await play(twoFrozen, "all");
        assert.ok(acknowledged >= 5);
        assert.equal(lost, 0);
    });

    it("promotes the synchronous standby in streams-cut with the patches, and loses nothing", async () => {
        const { stuck, lost } = await play(streamsCut, "all");
        assert.deepEqual({ stuck, lost }, { stuck: false, lost: 0 });
    });
});
