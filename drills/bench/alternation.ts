import { say, step } from "../../offline/progress";
import { asSuperuser } from "../backup/pods";
import { backupsIdle } from "../backup/runner";
import type { Cluster } from "../cluster";
import { casesOf, type CaseGroup, type Measurement } from "./load";
import { Pgbench } from "./pgbench";

const mostAttempts = 3;

/** Measures repeat after repeat. One counts as a whole: what is compared in it belongs together. */
export class Alternation {
    /** Repeats that were made again, each with why. */
    readonly brokenOff: string[] = [];

    private constructor(
        private readonly cluster: Cluster,
        private readonly scale: number,
        private pgbench: Pgbench,
    ) {}

    static async prepare(cluster: Cluster, scale: number): Promise<Alternation> {
        return new Alternation(cluster, scale, await makeTables(cluster, scale));
    }

    /** Made again where a client was refused, a process of the stack ended, or who leads has changed. */
    async repeat(group: CaseGroup, repeat: number, seconds: number, title: string): Promise<Measurement[]> {
        for (let attempt = 1; ; attempt += 1) {
            try {
                return await step(title, (progress) =>
                    this.measure(group, repeat, seconds, (what) => progress.detail(what)),
                );
            } catch (error) {
                if (attempt === mostAttempts) throw error;
                const why = `${title}: ${(error as Error).message}`;
                this.brokenOff.push(why);
                say(`    made again: ${why}`);
                await this.cluster.waitUntilRedundant();
                // One follows every promotion.
                await backupsIdle(this.cluster);
                await this.clean().catch((failure: unknown) => say(`    ${String(failure)}`));
                this.pgbench = await makeTables(this.cluster, this.scale);
            }
        }
    }

    clean(): Promise<void> {
        return this.pgbench.clean();
    }

    private async measure(
        group: CaseGroup,
        repeat: number,
        seconds: number,
        tell: (what: string) => void,
    ): Promise<Measurement[]> {
        const measurements: Measurement[] = [];
        for (const kase of casesOf(group, repeat)) {
            const what = `${kase.path}, ${kase.durability}`;
            tell(what);
            // Each begins with the images of whole pages that follow a checkpoint, and none is in the middle of one.
            await asSuperuser(this.cluster, "checkpoint;");
            const measured = await this.pgbench.measure(kase, seconds);
            measurements.push(measured);
            const { transactionsPerSecond, latency } = measured;
            say(`    ${what}: ${transactionsPerSecond.toFixed(0)} tps, p99 ${latency.p99.toFixed(1)} ms`);
        }
        await this.pgbench.assertPlaced();
        return measurements;
    }
}

const makeTables = (cluster: Cluster, scale: number): Promise<Pgbench> =>
    step("making the tables", () => Pgbench.prepare(cluster, scale));
