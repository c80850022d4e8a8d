import type { Ledger } from "./ledger/ledger";
import { now } from "./ledger/operation";
import type { Sampler, SampledRole } from "./ledger/sampler";

export type MarkLabel = "fault" | "heal" | "whole" | "stuck";

/** A round for the eye; times are milliseconds from its beginning. */
export interface RecordedTimeline {
    binMs: number;
    /** Acknowledgements in each bin. */
    acknowledged: number[];
    marks: { at: number; label: MarkLabel }[];
    roles: { instance: string; at: number; role: SampledRole }[];
}

const binMs = 100;

export class Timeline {
    private readonly begin = now();
    private readonly marks: { at: number; label: MarkLabel }[] = [];

    constructor(
        private readonly ledger: Ledger,
        private readonly sampler: Sampler,
    ) {}

    /** The moment, on the clock of the operations. */
    mark(label: MarkLabel): number {
        const at = now();
        this.marks.push({ at: Math.round(at - this.begin), label });
        return at;
    }

    recorded(): RecordedTimeline {
        const bins = Math.ceil((now() - this.begin) / binMs);
        const acknowledged = new Array<number>(bins).fill(0);
        for (const { outcome, end } of this.ledger.operations) {
            const bin = Math.floor((end - this.begin) / binMs);
            if (outcome === "ok" && bin >= 0 && bin < bins) {
                acknowledged[bin] = (acknowledged[bin] ?? 0) + 1;
            }
        }
        const roles = this.sampler.roles.map(({ instance, at, role }) => ({
            instance,
            at: Math.max(0, Math.round(at - this.begin)),
            role,
        }));
        return { binMs, acknowledged, marks: this.marks, roles };
    }
}
