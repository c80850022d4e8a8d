/**
 * Rounds of the loopback lab, in which the order of events is arranged: what Patroni decides, with any subset of the
 * patches beside its image. Needs the container engine, no stack. One line per round, and a table.
 *
 *     node --import tsx drills/lab.ts [--scenario lock-vanished] [--patches all|none|20,30] [--rounds 1] [--json lab.json]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { main } from "../commands/main";
import { chosen, positive } from "../commands/options";
import { printTable } from "../commands/table";
import { say } from "../offline/progress";
import { runLab, type LabRound } from "./lab/round";
import { clockSet } from "./lab/scenarios/clock-set";
import { divergedConfirms } from "./lab/scenarios/diverged-confirms";
import { etcdDown, keysWiped, leaseRevoked } from "./lab/scenarios/etcd-forgets";
import { lockLostBeforePromotion } from "./lab/scenarios/lock-lost-before-promotion";
import { lockVanished } from "./lab/scenarios/lock-vanished";
import { lostInTurn, nobodyConfirms } from "./lab/scenarios/nobody-confirms";
import { noLeader } from "./lab/scenarios/no-leader";
import { type Scenario } from "./lab/scenarios/scenario";
import { readsCutOff } from "./lab/scenarios/reads-cut-off";
import { standbyAhead } from "./lab/scenarios/standby-ahead";
import {
    controlFileLost,
    dataDamaged,
    halfReceived,
    onlyOneDamaged,
    pageDamaged,
    primaryLostThen,
    settingRefused,
    walGone,
} from "./lab/scenarios/past-mending";
import { rewindCutOff } from "./lab/scenarios/rewind-cut-off";
import { streamsCut } from "./lab/scenarios/streams-cut";
import { twoFrozen, twoFrozenQuorum } from "./lab/scenarios/two-frozen";
import { volumeFull, volumeFullCrash } from "./lab/scenarios/volume-full";
import { unseenHistory, unseenPromotion } from "./lab/scenarios/unseen-promotion";
import { chosenPatches } from "./lab/variant";

const scenarios: Scenario[] = [
    lockVanished,
    noLeader,
    streamsCut,
    standbyAhead,
    lockLostBeforePromotion,
    divergedConfirms,
    leaseRevoked,
    keysWiped,
    etcdDown,
    clockSet,
    twoFrozen,
    unseenPromotion,
    nobodyConfirms,
    lostInTurn,
    readsCutOff,
    volumeFull,
    volumeFullCrash,
    rewindCutOff,
    halfReceived,
    onlyOneDamaged,
    pageDamaged,
    dataDamaged,
    controlFileLost,
    walGone,
    primaryLostThen,
    settingRefused,
];

/** Of settings that the stack does not have: they lose rows, and are played only when named. */
const planted: Scenario[] = [twoFrozenQuorum];
/** Not mended (docs/decisions/018-known-loss.md, "What stays open"): played only when named. */
const open: Scenario[] = [unseenHistory];
const known = [...scenarios, ...planted, ...open];

const { values: options } = parseArgs({
    options: {
        scenario: { type: "string", multiple: true },
        patches: { type: "string", default: "all" },
        rounds: { type: "string", default: "1" },
        json: { type: "string", default: "lab.json" },
    },
});

async function lab(): Promise<number> {
    const patches = chosenPatches(options.patches);
    const chosenScenarios = options.scenario === undefined ? scenarios : chosen("scenario", options.scenario, known);
    const rounds = positive("rounds", options.rounds);
    const results: LabRound[] = [];
    for (const scenario of chosenScenarios) {
        let round = 0;
        for await (const result of runLab(scenario, patches, rounds)) {
            const { evidence, ...figures } = result;
            results.push(figures);
            round += 1;
            writeFileSync(options.json, JSON.stringify({ results }, undefined, 2));
            if (evidence !== undefined) {
                writeFileSync(`${options.json}.${scenario.name}-${round}.log`, evidence);
            }
            say(
                `${scenario.name} ${round}/${options.rounds}, patches ${patches.join(" ")}: ${result.lost} of ` +
                    `${result.acknowledged} lost, ${result.seconds.toFixed(1)} s; ${result.note}`,
            );
        }
    }
    printTable(
        ["scenario", "patches", "acknowledged", "lost", "stuck", "seconds"],
        results.map(({ scenario, patches, acknowledged, lost, stuck, seconds }) => [
            ...[scenario, patches.join(" "), String(acknowledged), String(lost)],
            ...[stuck ? "yes" : "no", seconds.toFixed(1)],
        ]),
    );
    const isBroken = ({
        lost,
        stuck,
        confirmedUnseen,
        promotedByOldLock,
        begunTwice,
        gaveWay,
        readsOfAnyAge,
    }: LabRound): boolean =>
        lost > 0 || [stuck, confirmedUnseen, promotedByOldLock, begunTwice, gaveWay, readsOfAnyAge].includes(true);
    return results.some(isBroken) ? 1 : 0;
}

main(lab);
