import assert from "node:assert/strict";
import { defaultParameters, parameterProblems } from "../../../components/patroni/parameters";

describe("the user's PostgreSQL parameters", () => {
    it("are accepted when they tune", () => {
        assert.deepEqual(parameterProblems({ work_mem: "8MB", checkpoint_timeout: "10min" }), []);
    });

    it("are refused where they would lose acknowledged writes, each with its reason and the remedy", () => {
        const problems = parameterProblems({ fsync: "off", synchronous_commit: "local", full_page_writes: "off" });
        assert.deepEqual(problems, [
            {
                path: "postgres.parameters.fsync",
                message: "cannot be set: acknowledged writes must survive a power loss; it stays `on`; remove it",
            },
            {
                path: "postgres.parameters.synchronous_commit",
                message: "cannot be set: an acknowledged write must be on two machines; it stays `on`; remove it",
            },
            {
                path: "postgres.parameters.full_page_writes",
                message: "cannot be set: pages torn by a power loss could not be repaired; it stays `on`; remove it",
            },
        ]);
    });

    it("are refused where Patroni or the stack manages them, and lead to the input that does", () => {
        const message = (name: string) => parameterProblems({ [name]: "x" })[0]?.message;
        assert.equal(message("max_connections"), "cannot be set: use `postgres.maxConnections`; remove it");
        assert.equal(message("shared_buffers"), "cannot be set: use `postgres.sharedBuffers`; remove it");
        assert.equal(
            message("wal_sender_timeout"),
            "cannot be set: it is derived from `recovery.objective`; remove it",
        );
        for (const name of [
            "synchronous_standby_names",
            "primary_conninfo",
            "listen_addresses",
            "port",
            "ssl",
            "hot_standby",
        ]) {
            assert.match(message(name) ?? "", /^cannot be set: .*; remove it$/, name);
        }
    });

    it("are refused in any spelling: PostgreSQL ignores the case of a parameter's name", () => {
        assert.deepEqual(
            parameterProblems({ FSYNC: "off", Synchronous_Commit: "off" }).map(({ path }) => path),
            ["postgres.parameters.FSYNC", "postgres.parameters.Synchronous_Commit"],
        );
    });

    it("are not taken for something else by name", () => {
        assert.deepEqual(parameterProblems({ constructor: "x" }), []);
    });
});

describe("the default PostgreSQL parameters", () => {
    it("notice a vanished peer within 11 s, and within 15 s while something is on its way to it", () => {
        const {
            tcp_keepalives_idle: idle,
            tcp_keepalives_interval: interval,
            tcp_keepalives_count: count,
        } = defaultParameters;
        assert.equal(Number(idle) + Number(interval) * Number(count), 11);
        assert.equal(defaultParameters["tcp_user_timeout"], "15s");
    });

    it("leave room for the senders and slots of the largest cluster", () => {
        // 9 instances: 8 replicas, each with a base backup's second connection while it is made anew.
        assert.ok(Number(defaultParameters["max_wal_senders"]) >= 9);
        assert.ok(Number(defaultParameters["max_replication_slots"]) >= 8);
    });

    it("let no dead replica's slot fill the disk", () => {
        assert.equal(defaultParameters["max_slot_wal_keep_size"], "4GB");
    });
});
