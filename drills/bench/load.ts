/** What is measured: pgbench's own loads, and the ledger's insert. */
export interface Load {
    name: "tpcb-like" | "read-only" | "ledger-insert";
    /** Options of pgbench that choose it. */
    options: string;
    writes: boolean;
}

export const loads: Load[] = [
    { name: "tpcb-like", options: "--builtin=tpcb-like", writes: true },
    { name: "read-only", options: "--builtin=select-only", writes: false },
    { name: "ledger-insert", options: "--file=/tmp/bench/ledger-insert.sql", writes: true },
];

/** As drills/ledger has it, in a schema that goes with the benchmark. */
export const ledgerTable =
    "create table ledger (round text not null, id bigint not null, client int not null, " +
    "written timestamptz not null default clock_timestamp()); create index on ledger (round)";

export const ledgerInsert = `\\set id random(1, 9000000000)
insert into ledger (round, id, client) values ('bench', :id, :client_id);
`;

/** direct: to the primary's own port. haproxy: through the entry of the machine that the load comes from. */
export type Path = "direct" | "haproxy";

/** synchronous: acknowledged when the standby has it, as the stack does. asynchronous: when the primary alone has. */
export type Durability = "synchronous" | "asynchronous";

export interface Case {
    load: Load["name"];
    clients: number;
    path: Path;
    durability: Durability;
}

/** One run of pgbench. */
export interface Measurement extends Case {
    transactionsPerSecond: number;
    latency: Latency;
    /** Cores in use while it ran, by part, over all machines. */
    cores: Record<string, number>;
    /** Bytes at its end, by part, over all machines. */
    memory: Record<string, number>;
    stolenShare: number;
}

/** Milliseconds of a transaction. */
export interface Latency {
    p50: number;
    p95: number;
    p99: number;
}

export interface CaseGroup {
    load: Load;
    clients: number;
}

/**
 * The cases of one load and number of clients, in the order of a repeat: what is compared runs one right after the
 * other, and the order turns round in every other repeat, so that no side always runs on the warmer cache.
 */
export function casesOf({ load, clients }: CaseGroup, repeat: number): Case[] {
    const sides: [Path, Durability][] = [
        ["direct", "synchronous"],
        ["haproxy", "synchronous"],
        ...(load.writes ? [["haproxy", "asynchronous"] as [Path, Durability]] : []),
    ];
    const cases = sides.map(([path, durability]) => ({ load: load.name, clients, path, durability }));
    return repeat % 2 === 0 ? cases : cases.reverse();
}
