import assert from "node:assert/strict";
import type { Cluster } from "../../../drills/cluster";
import { Injection } from "../../../drills/faults/injection";
import type { Fault, PreparedFault } from "../../../drills/faults/fault";

const fault = (heal: PreparedFault["heal"]): Fault => ({
    ...{ name: "test", imitates: "nothing", bar: "process", failover: "allowed" },
    prepare: () => Promise.resolve({ target: "nobody", inject: () => Promise.resolve(), heal }),
});
const cluster = {} as Cluster;

describe("a fault on its way", () => {
    it("is taken back once, by whoever comes first", async () => {
        let healed = 0;
        const injection = new Injection(
            cluster,
            fault(() => Promise.resolve(void (healed += 1))),
        );
        const prepared = await injection.prepare();
        await injection.inject(prepared);
        await injection.heal(prepared);
        assert.equal(await injection.finish(), undefined);
        assert.equal(healed, 1);
    });

    it("is taken back when its round ended early, over a connection that is made anew", async () => {
        let attempts = 0;
        const flaky = () => ((attempts += 1) === 1 ? Promise.reject(new Error("Not connected")) : Promise.resolve());
        const injection = new Injection(cluster, fault(flaky));
        await injection.prepare();
        assert.equal(await injection.finish(), undefined);
        assert.equal(attempts, 2);
    });

    it("is taken back in its own way where the other way has failed, which the round hears of", async () => {
        let healed = 0;
        const own = () => Promise.resolve(void (healed += 1));
        const injection = new Injection(cluster, fault(own), () => Promise.reject(new Error("the update failed")));
        const prepared = await injection.prepare();
        await assert.rejects(injection.heal(prepared), /the update failed/);
        assert.equal(healed, 0);
        assert.equal(await injection.finish(), undefined);
        assert.equal(healed, 1);
    });

    it("has nothing to take back where it could not be prepared", async () => {
        const injection = new Injection(cluster, {
            ...fault(() => Promise.reject(new Error("not prepared"))),
            prepare: () => Promise.reject(new Error("there is no replica")),
        });
        await assert.rejects(injection.prepare(), /there is no replica/);
        assert.equal(await injection.finish(), undefined);
    });

    it("listens to no signal afterwards", async () => {
        const before = process.listenerCount("SIGHUP");
        const injection = new Injection(
            cluster,
            fault(() => Promise.resolve()),
        );
        assert.equal(process.listenerCount("SIGHUP"), before + 1);
        await injection.finish();
        assert.equal(process.listenerCount("SIGHUP"), before);
    });
});
