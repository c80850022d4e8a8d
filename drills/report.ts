import type { ResourceUse } from "./resource-use";
import type { RoundResult } from "./round";
import { spread, type Spread } from "./statistics";

const seconds = (value: number): string => value.toFixed(2);
const triple = ({ p50, p95, max }: Spread): string => [p50, p95, max].map(seconds).join(" / ");

const table = (head: string[], rows: string[][]): string =>
    [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** One line per fault: spreads over its rounds, and whether every round kept the promise. */
export function faultTable(results: RoundResult[]): string {
    const faults = [...new Set(results.map(({ fault }) => fault))];
    const rows = faults.map((fault) => {
        const rounds = results.filter((result) => result.fault === fault);
        const of = (value: (round: RoundResult) => number) => triple(spread(rounds.map(value)));
        const sum = (value: (round: RoundResult) => number) =>
            String(rounds.reduce((total, round) => total + value(round), 0));
        return [
            fault,
            String(rounds.length),
            of(({ outageSeconds }) => outageSeconds),
            of(({ worstClientSeconds }) => worstClientSeconds),
            of(({ healSeconds }) => healSeconds),
            sum(({ acknowledged }) => acknowledged),
            sum(({ lost }) => lost),
            sum(({ violations }) => violations.length),
            sum(({ twoPrimaries }) => twoPrimaries.length),
        ];
    });
    const spreadOf = (what: string) => `${what}, p50 / p95 / max (s)`;
    return table(
        [
            ...["fault", "rounds", spreadOf("outage"), spreadOf("worst client"), spreadOf("whole again")],
            ...["acknowledged", "lost", "violations", "two primaries"],
        ],
        rows,
    );
}

export function idleTable(use: Map<string, ResourceUse>, seconds: number): string {
    const row = (name: string, { cores, memory }: ResourceUse) => [
        name,
        cores.toFixed(2),
        (memory / 2 ** 30).toFixed(2),
    ];
    const total = [...use.values()].reduce(
        (sum, { cores, memory }) => ({ cores: sum.cores + cores, memory: sum.memory + memory }),
        { cores: 0, memory: 0 },
    );
    const rows = [...use].map(([name, value]) => row(name, value));
    return table(["machine", `cores over ${seconds} s`, "memory (GiB)"], [...rows, row("whole stack", total)]);
}
