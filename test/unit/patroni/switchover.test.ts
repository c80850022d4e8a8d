import assert from "node:assert/strict";
import { switchOver } from "../../../components/patroni/roll";
import type { SshConnection } from "../../../components/machines/ssh";

const location = { cluster: "orders", namespace: "orders", instances: ["orders-0", "orders-1"] };

/** A machine whose Patroni lists this leader after the switchover, and answers the request as the test says. */
function machine(leaderAfter: string, answers: boolean): { ssh: SshConnection; requests: string[] } {
    const requests: string[] = [];
    let leader = "orders-0";
    const run = (command: string, options?: { stdin?: string }) => {
        if (command.includes("/cluster")) {
            const members = ["orders-0", "orders-1"].map((name) => ({
                name,
                role: name === leader ? "leader" : "sync_standby",
                state: "running",
            }));
            return Promise.resolve({ exitCode: 0, stdout: JSON.stringify({ members }), stderr: "" });
        }
        requests.push(options?.stdin ?? "");
        leader = leaderAfter;
        const lost = { exitCode: 28, stdout: "", stderr: "command terminated with exit code 28" };
        return Promise.resolve(answers ? { exitCode: 0, stdout: "Switched over", stderr: "" } : lost);
    };
    return { ssh: { run } as unknown as SshConnection, requests };
}

describe("a switchover before the primary is restarted", () => {
    it("goes to the synchronous standby", async () => {
        const { ssh, requests } = machine("orders-1", true);
        await switchOver(ssh, location, "orders-0");
        assert.deepEqual(
            requests.map((text) => JSON.parse(text) as object),
            [{ leader: "orders-0", candidate: "orders-1" }],
        );
    });

    it("is done when another leads, even if its answer was lost", async () => {
        await switchOver(machine("orders-1", false).ssh, location, "orders-0");
    });

    it("has failed when nobody answered and the same instance leads", async () => {
        await assert.rejects(
            switchOver(machine("orders-0", false).ssh, location, "orders-0"),
            /on no instance.*code 28/,
        );
    });
});
