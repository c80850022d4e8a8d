import { existsSync, readFileSync } from "node:fs";

/** CPU time of this host since it started, in ticks. */
export interface CpuTicks {
    total: number;
    /** Wanted by this host, given to others by its hypervisor. */
    stolen: number;
}

/** The `cpu` line of /proc/stat: user nice system idle iowait irq softirq steal ... */
export function parseCpuTicks(stat: string): CpuTicks {
    const ticks = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "").split(" ").slice(0, 8).map(Number);
    return { total: ticks.reduce((sum, value) => sum + value, 0), stolen: ticks[7] ?? 0 };
}

export const noCpuTicks = (): CpuTicks => ({ total: 0, stolen: 0 });

/** Nothing of a host that is no Linux. */
export const readCpuTicks = (): CpuTicks =>
    existsSync("/proc/stat") ? parseCpuTicks(readFileSync("/proc/stat", "utf8")) : noCpuTicks();

/** Share of the CPU time between two readings that was stolen, 0 to 1. */
export const stolenShare = (before: CpuTicks, after: CpuTicks): number =>
    after.total > before.total ? (after.stolen - before.stolen) / (after.total - before.total) : 0;

/**
 * From this share on a bar in seconds says nothing about the stack: the bars are for two whole cores, and a host that
 * gets a quarter less of them than it asks for runs its elections, checks and promotions that much later.
 */
export const starvedFrom = 0.2;

/** Readings twice a second, so that the share of any stretch of time can be told afterwards. */
export class StealRecord {
    private readonly readings: { at: number; ticks: CpuTicks }[] = [];
    private readonly timer: NodeJS.Timeout;

    constructor(
        private readonly clock: () => number,
        private readonly read = readCpuTicks,
    ) {
        this.take();
        this.timer = setInterval(() => this.take(), 500);
    }

    take(): void {
        this.readings.push({ at: this.clock(), ticks: this.read() });
    }

    /** Between the readings just outside of the two moments. */
    share(from: number, until: number): number {
        const before = this.readings.filter(({ at }) => at <= from).at(-1) ?? this.readings[0];
        const after = this.readings.find(({ at }) => at >= until) ?? this.readings.at(-1);
        return before && after ? stolenShare(before.ticks, after.ticks) : 0;
    }

    stop(): void {
        clearInterval(this.timer);
    }
}
