import assert from "node:assert/strict";
import { waitForServer } from "../../../components/k3s/cluster-access";
import type { MachineAccess } from "../../../components/machines/machine";

describe("a server whose API answers", () => {
    it("is waited for; giving up names those that were asked", async () => {
        const ssh = { user: "root", port: 1, privateKey: "none", hostKey: "ssh-ed25519 none" };
        const machine: MachineAccess = { name: "machine-1", address: "127.0.0.1", privateAddress: "127.0.0.1", ssh };
        await assert.rejects(
            waitForServer([machine], 0.1),
            /the Kubernetes API: not within 0.1 s; last seen: it answers on none of machine-1/,
        );
    });
});
