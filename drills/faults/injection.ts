import { waitUntilItWorks } from "../../components/progress";
import { say } from "../../offline/progress";
import type { Cluster } from "../cluster";
import { endings } from "../endings";
import type { Fault, PreparedFault } from "./fault";

/** A connection that breaks meanwhile is made anew. */
const healSeconds = 60;

/** A fault from when it is prepared until it is taken back, whatever ends the drill. */
export class Injection {
    private preparing: Promise<PreparedFault> | undefined;
    private injecting: Promise<void> | undefined;
    private healing: Promise<void> | undefined;
    private ending: Promise<void> | undefined;
    private readonly interrupted = () => void (this.ending ??= this.end());

    /** `otherHeal`: instead of the fault's own way. */
    constructor(
        private readonly cluster: Cluster,
        private readonly fault: Fault,
        private readonly otherHeal?: () => Promise<void>,
    ) {
        for (const signal of endings) process.on(signal, this.interrupted);
    }

    async prepare(): Promise<PreparedFault> {
        this.preparing = this.fault.prepare(this.cluster);
        const prepared = await this.preparing;
        await this.ending;
        return prepared;
    }

    async inject(prepared: PreparedFault): Promise<void> {
        this.injecting = prepared.inject();
        await this.injecting;
    }

    heal(prepared: PreparedFault): Promise<void> {
        const act = this.otherHeal ?? (() => prepared.heal());
        return (this.healing ??= waitUntilItWorks("taking the fault back", healSeconds, act));
    }

    /** Takes back what was not yet; why that failed is its result. */
    async finish(): Promise<Error | undefined> {
        const prepared = await this.preparing?.catch(() => undefined);
        const failed = await (prepared && this.heal(prepared).catch((error: unknown) => error as Error));
        for (const signal of endings) process.off(signal, this.interrupted);
        return failed ?? undefined;
    }

    /** After Ctrl-C. The process ends here. */
    private async end(): Promise<void> {
        try {
            const prepared = await this.preparing;
            // Beside an injection that still works it would find nothing to take back.
            await this.injecting?.catch(() => undefined);
            await (prepared && this.heal(prepared));
        } catch (error) {
            try {
                say(`${this.fault.name} could not be taken back: ${(error as Error).message}`);
            } catch {
                // The terminal is gone.
            }
        } finally {
            process.exit(130);
        }
    }
}
