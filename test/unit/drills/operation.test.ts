import assert from "node:assert/strict";
import { classify, isCancelledWait } from "../../../drills/ledger/operation";

describe("outcome of a write", () => {
    const refusal = Object.assign(new Error("cannot execute INSERT in a read-only transaction"), {
        severity: "ERROR",
        code: "25006",
    });
    const shutdown = Object.assign(new Error("terminating connection due to administrator command"), {
        severity: "FATAL",
        code: "57P01",
    });

    const told = (error: Error) => classify({ error, waitCancelled: false, commitSent: true });

    it("is failed when the connection was lost before anything that commits was sent", () => {
        const error = new Error("Connection terminated unexpectedly");
        assert.equal(classify({ error, waitCancelled: false, commitSent: false }), "failed");
    });

    it("is ok only when the server said so", () => {
        assert.equal(classify({ waitCancelled: false, commitSent: true }), "ok");
    });

    it("is failed when the server refused the statement", () => {
        assert.equal(told(refusal), "failed");
    });

    it("is unknown when the connection was lost or ended by the server after the statement was sent", () => {
        assert.equal(told(new Error("Connection terminated unexpectedly")), "unknown");
        assert.equal(told(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })), "unknown");
        assert.equal(told(shutdown), "unknown");
    });

    it("is unknown, not ok, when the wait for the standby was cancelled", () => {
        const cancelled = "canceling wait for synchronous replication due to user request";
        const ended =
            "canceling the wait for synchronous replication and terminating connection due to administrator command";
        assert.ok(isCancelledWait(cancelled));
        assert.ok(isCancelledWait(ended));
        assert.ok(!isCancelledWait("relation exists, skipping"));
        assert.equal(classify({ waitCancelled: true, commitSent: true }), "unknown");
    });
});
