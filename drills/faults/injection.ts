import { setTimeout as sleep } from "node:timers/promises";
import { beforeTheEnd } from "../before-the-end";
import type { Cluster } from "../cluster";
import type { Fault, PreparedFault } from "./fault";

/** A connection that breaks meanwhile is made anew. */
const healSeconds = 60;
const fewestAttempts = 2;

/** A fault from when it is prepared until it is taken back, whatever ends the drill. */
export class Injection {
    private preparing: Promise<PreparedFault> | undefined;
    private injecting: Promise<void> | undefined;
    private healing: Promise<void> | undefined;
    private readonly callOff: () => void;
    private ending: Promise<void> | undefined;

    /** `otherHeal`: instead of the fault's own way; where it fails, the own one follows when the round has ended. */
    constructor(
        private readonly cluster: Cluster,
        private readonly fault: Fault,
        private readonly otherHeal?: () => Promise<void>,
    ) {
        this.callOff = beforeTheEnd(() => (this.ending = this.end()));
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
        return (this.healing ??= this.otherHeal === undefined ? takeBack(prepared) : this.otherHeal());
    }

    /** Takes back what was not yet; why that failed is its result. */
    async finish(): Promise<Error | undefined> {
        try {
            await this.healAnyhow();
            return undefined;
        } catch (error) {
            return error as Error;
        } finally {
            this.callOff();
        }
    }

    private async end(): Promise<void> {
        // Beside an injection that still works it would find nothing to take back.
        await this.preparing?.then(() => this.injecting).catch(() => undefined);
        await this.healAnyhow();
    }

    /** What could not be prepared has taken itself back. */
    private async healAnyhow(): Promise<void> {
        const prepared = await this.preparing?.catch(() => undefined);
        if (prepared === undefined) return;
        await this.heal(prepared).catch((error: unknown) => {
            if (this.otherHeal === undefined) throw error;
            return takeBack(prepared);
        });
    }
}

async function takeBack(prepared: PreparedFault): Promise<void> {
    const end = Date.now() + healSeconds * 1000;
    for (let attempt = 1; ; attempt += 1) {
        try {
            await prepared.heal();
            return;
        } catch (error) {
            if (attempt >= fewestAttempts && Date.now() > end) throw error;
            await sleep(1000);
        }
    }
}
