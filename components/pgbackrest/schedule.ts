import type { Problem } from "../validation";

export interface BackupSchedule {
    /** Everything anew; what the others build on. */
    full: string;
    /** What changed since the last full one. */
    differential?: string;
    /** What changed since the last of any kind. */
    incremental?: string;
    /** The newest backup restored into a throwaway instance and checked. */
    restoreTest?: string;
}

interface Field {
    name: string;
    least: number;
    most: number;
}

const fields: Field[] = [
    { name: "minute", least: 0, most: 59 },
    { name: "hour", least: 0, most: 23 },
    { name: "day of month", least: 1, most: 31 },
    { name: "month", least: 1, most: 12 },
    // 0 and 7 are Sunday.
    { name: "day of week", least: 0, most: 7 },
];

/** What is wrong with a cron expression of five fields (`*`, lists, ranges, steps; UTC); undefined when nothing is. */
export function cronProblem(expression: string): string | undefined {
    const parts = expression.trim().split(/\s+/);
    if (parts.length !== fields.length) {
        return `"${expression}" has ${parts.length} fields; write minute, hour, day of month, month, day of week, such as 0 2 * * 0`;
    }
    for (const [index, field] of fields.entries()) {
        const wrong = (parts[index] ?? "").split(",").find((item) => !isItem(item, field));
        if (wrong !== undefined) {
            return `"${expression}": "${wrong}" is no ${field.name}; use ${field.least} to ${field.most}, *, a-b or */n`;
        }
    }
    return undefined;
}

function isItem(item: string, { least, most }: Field): boolean {
    const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(item);
    if (!match) {
        return false;
    }
    const [from, to, step] = match.slice(1).map((text) => (text === undefined ? undefined : Number(text)));
    const isInside = (value: number | undefined) => value === undefined || (value >= least && value <= most);
    return isInside(from) && isInside(to) && (from === undefined || to === undefined || from <= to) && step !== 0;
}

export const scheduleProblems = (schedule: BackupSchedule): Problem[] =>
    Object.entries(schedule).flatMap(([name, expression]: [string, string | undefined]) => {
        const message = expression === undefined ? undefined : cronProblem(expression);
        return message === undefined ? [] : [{ path: `backup.schedule.${name}`, message }];
    });
