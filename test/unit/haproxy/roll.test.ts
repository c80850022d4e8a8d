import assert from "node:assert/strict";
import { rollProxies } from "../../../components/haproxy/roll";
import type { SshConnection } from "../../../components/machines/ssh";

const set = { namespace: "orders-proxy", name: "orders-haproxy", generation: "2", nodes: ["one", "two", "three"] };

/** A Kubernetes whose controller makes a deleted proxy anew on its node, and what was done in order. */
function kubernetes(proxies: Record<string, string>, ...silent: string[]): { ssh: SshConnection; events: string[] } {
    const events: string[] = [];
    const said = (value: unknown) => Promise.resolve({ exitCode: 0, stdout: JSON.stringify(value), stderr: "" });
    const status = (isReady: boolean) => ({ conditions: [{ type: "Ready", status: isReady ? "True" : "Unknown" }] });
    const labelled = (revision: string) => ({ labels: { "controller-revision-hash": revision } });
    const run = (command: string) => {
        if (command.includes("get daemonset")) return Promise.resolve({ exitCode: 0, stdout: "2 2", stderr: "" });
        if (command.includes("get controllerrevisions")) {
            const items = ["old", "new"].map((name, index) => ({ metadata: labelled(name), revision: index + 1 }));
            return said({ items: [...items].reverse() });
        }
        if (command.includes("get nodes")) {
            const nodes = Object.keys(proxies).map((name) => ({
                ...{ metadata: { name }, status: status(!silent.includes(name)) },
            }));
            return said({ items: nodes });
        }
        const deleted = /delete pod proxy-on-(\S+)/.exec(command)?.[1];
        if (deleted !== undefined) {
            events.push(deleted);
            proxies[deleted] = "new";
            return said({});
        }
        assert.match(command, /-n orders-proxy get pods --selector \S*app.kubernetes.io\/name=haproxy/);
        const items = Object.entries(proxies).map(([node, revision]) => ({
            metadata: {
                name: `proxy-on-${node}`,
                ...labelled(revision === "broken" ? "old" : revision.replace(/,.*/, "")),
            },
            ...{ spec: { nodeName: node }, status: status(!silent.includes(node) && !revision.includes("broken")) },
        }));
        return said({ items });
    };
    return { ssh: { run } as unknown as SshConnection, events };
}

describe("the roll of the proxies", () => {
    it("restarts those of an earlier template, one node after another", async () => {
        const { ssh, events } = kubernetes({ one: "old", two: "new", three: "old" });
        await rollProxies(ssh, "orders", set);
        assert.deepEqual(events, ["one", "three"]);
    });

    it("begins with one that takes no clients, and leaves out a node that is no machine of the stack", async () => {
        const { ssh, events } = kubernetes({ one: "old", two: "broken", three: "old", "taken-out": "old" });
        await rollProxies(ssh, "orders", set);
        assert.deepEqual(events, ["two", "one", "three"]);
    });

    it("takes none away while another does not take clients, also when it is repeated", async function () {
        this.timeout(10_000);
        // The second has the new template already, and did not come up with it.
        const proxies: Record<string, string> = { one: "old", two: "new, broken", three: "old" };
        const { ssh, events } = kubernetes(proxies);
        const mended = setTimeout(() => {
            events.push("mended");
            proxies["two"] = "new";
        }, 1500);
        await rollProxies(ssh, "orders", set);
        clearTimeout(mended);
        assert.deepEqual(events, ["mended", "one", "three"]);
    });

    it("leaves the one on a machine that is off to a later update", async () => {
        const { ssh, events } = kubernetes({ one: "old", two: "old", three: "old" }, "one");
        await rollProxies(ssh, "orders", set);
        assert.deepEqual(events, ["two", "three"]);
    });
});
