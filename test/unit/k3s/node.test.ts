import assert from "node:assert/strict";
import { provider, type K3sNodeInputs } from "../../../components/k3s/node.step";
import { TestMachine } from "../machines/ssh-server";

/** A machine of this process without any file of k3s. */
describe("the update of a node", () => {
    const machine = new TestMachine();
    before(() => {
        machine.rewrite = (command) => command.replaceAll(/\/(etc|var\/lib)\/rancher/g, "/nonexistent");
        return machine.start();
    });
    after(() => machine.stop());

    it("decides anew how a reinstalled host joins, and never starts an agent without a server", async () => {
        const agent: K3sNodeInputs = {
            ...{ node: "machine-1", role: "agent", version: "v1", access: machine.access(), instance: "one" },
            ...{ config: "", kubelet: "", unit: "", authorities: {}, peers: [], roster: ["machine-1"] },
        };
        await assert.rejects(
            async () => provider.update?.("machine-1", agent, agent),
            /machine-1 .*no server answers that this agent could join/,
        );
        assert.ok(machine.commands.every((command) => !command.includes("cat >")));
    });
});
