import type { OperationOf } from "./operation";
import type { Reading } from "./reader";
import { verifyRows } from "./verification";
import type { Violation } from "./violation";

export interface BankFound {
    transfers: ReadonlyMap<number, number>;
    balances: ReadonlyMap<number, number>;
}

/** What a round begins with: accounts from 1 on, each with the same balance. */
export interface Opened {
    accounts: number;
    balance: number;
}

/** Every acknowledged transfer is there once, and each balance is what the transfers that are there make of it. */
export function verifyBank(transfers: OperationOf<"transfer">[], found: BankFound, opened: Opened): Violation[] {
    const violations = verifyRows(transfers, found.transfers);
    const { accounts, balance: opening } = opened;
    const expected = new Map(Array.from({ length: accounts }, (_, index) => [index + 1, opening]));
    const add = (account: number, by: number) => expected.set(account, (expected.get(account) ?? opening) + by);
    for (const { id, work } of transfers) {
        const times = found.transfers.get(id) ?? 0;
        add(work.from, -work.amount * times);
        add(work.to, work.amount * times);
    }
    for (const [account, balance] of expected) {
        const is = found.balances.get(account);
        if (is !== balance) {
            violations.push({
                kind: "torn",
                id: account,
                detail: `account ${account} has ${is}, its transfers make ${balance}`,
            });
        }
    }
    return violations;
}

/** In every state that was read, on whichever instance, the money is all there. */
export const verifyTotals = (readings: Reading[], total: number): Violation[] =>
    readings
        .filter((reading) => reading.total !== total)
        .map((reading, index) => ({
            kind: "money",
            id: index,
            detail: `${reading.total} instead of ${total} were seen on a ${reading.from}`,
        }));
