import { Lab } from "./lab";
import type { Outcome, Scenario } from "./scenarios/scenario";

export interface LabRound extends Outcome {
    scenario: string;
    patches: string[];
    acknowledged: number;
    /** Acknowledged rows that are missing once the cluster is whole again. */
    lost: number;
    seconds: number;
    /** What the members logged, of a round that showed a defect. */
    evidence?: string;
}

/** Rounds of one scenario in one lab: the cluster is whole before each, and all rows so far are counted after it. */
export async function* runLab(scenario: Scenario, patches: string[], rounds: number): AsyncGenerator<LabRound> {
    const lab = await Lab.start(patches, scenario);
    try {
        for (let round = 1; round <= rounds; round += 1) {
            const began = Date.now();
            const outcome = await scenario.run(lab);
            await lab.whole();
            const { acknowledged, lost } = await lab.takeLost();
            const seconds = (Date.now() - began) / 1000;
            const evidence = lost > 0 || outcome.stuck || outcome.gaveWay === true ? await lab.logs() : undefined;
            yield { scenario: scenario.name, patches, ...outcome, acknowledged, lost, seconds, evidence };
        }
    } catch (error) {
        throw new Error(`${(error as Error).message}\n${await lab.logs().catch(() => "")}`, { cause: error });
    } finally {
        await lab.remove();
    }
}
