import assert from "node:assert/strict";
import { Session, type Entry } from "../../commands/status/session";
import { OtherSettings } from "../../drills/backup/restore";
import { Cluster } from "../../drills/cluster";
import { useCluster } from "./support";

const limits = { connectTimeoutMs: 5000, statementTimeoutMs: 10_000, applicationName: "password test" };

describe("another password for the application", () => {
    let settings: OtherSettings | undefined;
    const cluster = useCluster(async (stack) => {
        settings?.remove();
        // The settings without it make yet another one.
        await stack.update();
    });

    const entry = ({ readWrite: [first] }: Cluster): Entry => {
        assert.ok(first !== undefined);
        return first;
    };
    const user = async (session: Session) => {
        const { rows } = await session.query<{ name: string }>("select current_user as name");
        return rows[0]?.name;
    };

    it("is in the database and in the outputs after the update; sessions go on, and nothing restarts", async function () {
        this.timeout(300_000);
        const before = await cluster().nextPrimary(60);
        const old = entry(cluster());
        const open = await Session.open(old, limits);
        settings = new OtherSettings(cluster());
        settings.write({ "postgres-ha:database": { passwordGeneration: 2 } });
        const { status, output } = settings.pulumi("up");
        assert.equal(status, 0, output);
        const anew = await Cluster.open();
        try {
            assert.notEqual(entry(anew).password, old.password);
            await assert.rejects(Session.open(old, limits), /password authentication failed/);
            const session = await Session.open(entry(anew), limits);
            assert.deepEqual([await user(session), await user(open)], [old.user, old.user]);
            session.close();
            const after = await anew.nextPrimary(60);
            assert.deepEqual([after.name, after.timeline], [before.name, before.timeline]);
            await anew.waitUntilRedundant();
        } finally {
            open.close();
            anew.close();
        }
    });
});
