import type { Session } from "../../commands/status/session";
import type { ListStep, Work } from "./operation";
import { accounts } from "./table";

/** What a client does for one operation. `commitSent` is called right before what may commit. */
export interface Turn {
    session: Session;
    round: string;
    client: number;
    id: number;
    commitSent: () => void;
}

/** Lists in use at a time; more clients than lists, so that they meet. */
const openLists = 16;
/** A list is left for a new one after about so many appends: what is read must stay small. */
const appendsPerList = 60;

const firstOpenList = (appendsSoFar: number): number =>
    Math.floor(appendsSoFar / (openLists * appendsPerList)) * openLists;

/** Three of the lists in use, for a reader. */
export function openListsAfter(appendsSoFar: number): number[] {
    const first = firstOpenList(appendsSoFar);
    const start = below(openLists);
    return [0, 1, 2].map((step) => first + ((start + 5 * step) % openLists));
}

export const appendsOf = (work: Work): number =>
    work.kind === "lists" ? work.steps.filter((step) => "append" in step).length : 0;

const below = (limit: number): number => Math.floor(Math.random() * limit);

/** Work of each kind in turn. */
export function chooseWork(id: number, appendsSoFar: number): Work {
    switch (id % 4) {
        case 0:
            return { kind: "transfer", ...chooseTransfer() };
        case 1:
            return { kind: "count" };
        case 2:
            return { kind: "lists", steps: chooseListSteps(id, appendsSoFar) };
        default:
            return { kind: "insert" };
    }
}

function chooseTransfer(): { from: number; to: number; amount: number } {
    const from = 1 + below(accounts);
    const to = 1 + ((from + below(accounts - 1)) % accounts);
    return { from, to, amount: 1 + below(10) };
}

/** A read and an append, on lists that others use as well; sometimes more. */
function chooseListSteps(id: number, appendsSoFar: number): ListStep[] {
    const first = firstOpenList(appendsSoFar);
    const key = () => first + below(openLists);
    const steps: ListStep[] = [
        { key: key(), read: undefined },
        { key: key(), append: id * 10 },
    ];
    if (Math.random() < 0.5) {
        steps.push({ key: key(), append: id * 10 + 1 });
    }
    if (Math.random() < 0.3) {
        steps.push({ key: key(), read: undefined });
    }
    return steps;
}

export async function doWork(work: Work, turn: Turn): Promise<void> {
    switch (work.kind) {
        case "insert":
            return insert(turn);
        case "transfer":
            return transfer(work, turn);
        case "count":
            return count(work, turn);
        case "lists":
            return lists(work.steps, turn);
    }
}

async function insert({ session, round, client, id, commitSent }: Turn): Promise<void> {
    commitSent();
    await session.query("insert into drills.writes (round, id, client) values ($1, $2, $3)", [round, id, client]);
}

async function count(work: Extract<Work, { kind: "count" }>, { session, round, client, commitSent }: Turn) {
    commitSent();
    const { rows } = await session.query<{ value: string }>(
        "update drills.counters set value = value + 1 where round = $1 and client = $2 returning value",
        [round, client],
    );
    // No row: what was counted is gone, and the counter is seen to go back.
    work.value = Number(rows[0]?.value ?? 0);
}

async function transfer(work: Extract<Work, { kind: "transfer" }>, turn: Turn): Promise<void> {
    const { session, round, id, commitSent } = turn;
    const { from, to, amount } = work;
    // In the order of the accounts: two transfers the other way round would lock each other out.
    const changes = [
        { account: from, by: -amount },
        { account: to, by: amount },
    ].sort((a, b) => a.account - b.account);
    await session.query("begin");
    for (const { account, by } of changes) {
        await session.query("update drills.accounts set balance = balance + $3 where round = $1 and account = $2", [
            round,
            account,
            by,
        ]);
    }
    await session.query(
        "insert into drills.transfers (round, id, source, target, amount) values ($1, $2, $3, $4, $5)",
        [round, id, from, to, amount],
    );
    commitSent();
    await session.query("commit");
}

export const readList = "select items from drills.lists where round = $1 and key = $2";

async function lists(steps: ListStep[], { session, round, commitSent }: Turn): Promise<void> {
    await session.query("begin isolation level serializable");
    for (const step of steps) {
        if ("append" in step) {
            await session.query(
                `insert into drills.lists (round, key, items) values ($1, $2, array[$3::bigint])
                on conflict (round, key) do update set items = drills.lists.items || excluded.items`,
                [round, step.key, step.append],
            );
        } else {
            const { rows } = await session.query<{ items: string[] }>(readList, [round, step.key]);
            step.read = rows[0]?.items.map(Number) ?? [];
        }
    }
    commitSent();
    await session.query("commit");
}
