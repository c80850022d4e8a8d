import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../../commands/status/session";
import type { InstanceAccess } from "../../../drills/ledger/instance-session";
import { Sampler } from "../../../drills/ledger/sampler";

const access = { instances: [{ name: "postgres-0", address: "10.0.0.1" }] } as unknown as InstanceAccess;

/** A session on a primary or a replica that notes whether it was thrown away. */
function session(isReplica: boolean): Session & { destroyed: boolean } {
    const made = {
        destroyed: false,
        isBroken: false,
        query: (text: string) =>
            Promise.resolve({
                rows: text.includes("pg_is_in_recovery") ? [{ recovering: isReplica }] : [{ timeline: 3 }],
            }),
        destroy: () => (made.destroyed = true),
        close: () => undefined,
    };
    return made as unknown as Session & { destroyed: boolean };
}

describe("the sampler of instances", function () {
    this.timeout(10_000);

    it("does not wait for an attempt that hangs: the next one beside it sees what the instance accepts", async () => {
        const primary = session(false);
        const late = session(false);
        let begun = 0;
        const open = async (): Promise<Session> => {
            begun += 1;
            if (begun > 1) return primary;
            await sleep(2500);
            return late;
        };
        const sampler = new Sampler(access, open);
        await sleep(1900);
        const seen = sampler.acceptances.length;
        await sleep(900);
        await sampler.finish();
        assert.ok(seen >= 2, `${seen} inserts within 0.9 s of the second attempt`);
        assert.equal(begun, 2);
        assert.deepEqual([late.destroyed, primary.destroyed], [true, false]);
    });

    it("tells an instance that refuses from one that is silent, and goes on", async () => {
        const errors: (Error | undefined)[] = [
            Object.assign(new Error("the database system is starting up"), { code: "57P03" }),
            new Error("10.0.0.1:5432 does not answer"),
        ];
        const open = (): Promise<Session> => {
            const error = errors.shift();
            return error ? Promise.reject(error) : Promise.resolve(session(true));
        };
        const sampler = new Sampler(access, open);
        await sleep(900);
        assert.deepEqual(await sampler.finish(), []);
        assert.deepEqual(
            sampler.roles.map(({ role }) => role),
            ["refusing", "silent", "replica"],
        );
    });

    it("ends while an attempt hangs", async () => {
        const sampler = new Sampler(access, () => sleep(60_000, undefined, { ref: false }) as Promise<never>);
        await sleep(50);
        const begin = Date.now();
        await sampler.finish();
        assert.ok(Date.now() - begin < 1500);
        assert.deepEqual(sampler.answersSince(0), { "postgres-0": 0 });
    });
});
