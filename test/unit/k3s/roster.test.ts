import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { provider, retirementOrder, type RosterInputs } from "../../../components/k3s/roster.step";
import type { MachineAccess } from "../../../components/machines/machine";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";
import { TestMachine } from "../machines/ssh-server";

const node = (name: string, ready: boolean) => ({
    metadata: { name },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "Unknown" }] },
});

const volume = (name: string, on: string) => ({
    metadata: { name },
    spec: {
        claimRef: { namespace: "postgres", name: `data-${name}` },
        nodeAffinity: {
            required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", values: [on] }] }] },
        },
    },
});

/** A script in place of k3s on a machine of this process: it proves what is asked of the cluster, and in which order. */
describe("machines taken out of the configuration", function () {
    this.timeout(30_000);
    const directory = temporaryDirectory();
    const file = (name: string) => join(directory.path(), name);
    const machine = new TestMachine();
    let restore: () => void;
    const calls = () => (existsSync(file("calls")) ? readFileSync(file("calls"), "utf8").trim().split("\n") : []);
    const changes = () => calls().filter((call) => !/^kubectl (--request-timeout=30s )?get /.test(call));
    const named = (name: string): MachineAccess => ({ ...machine.access(), name });
    const inputs = (...names: string[]): RosterInputs => ({ members: names.map(named), servers: [machine.access()] });

    before(() => {
        machine.rewrite = (command) => command.replace("test -x /usr/local/bin/k3s", "true");
        return machine.start();
    });
    after(() => machine.stop());
    beforeEach(() => {
        const script = `
echo "$*" >> ${file("calls")}
case "$*" in
*"get --raw /readyz"*) printf ok ;;
*"get pods"*) cat ${file("pods")} ;;
*"get nodes"*) cat ${file("nodes")} ;;
*"get persistentvolumes"*) cat ${file("volumes")} ;;
*"get node "*) echo "node/$(echo "$*" | sed 's/.*get node \\([^ ]*\\).*/\\1/')" ;;
*drain*) if [ -e ${file("drain-fails")} ]; then echo "Cannot evict pod as it would violate the pod's disruption budget." >&2; exit 1; fi ;;
esac`;
        restore = fakeCommands(directory.path(), {
            k3s: script,
            systemctl: `echo "systemctl $*" >> ${file("calls")}`,
            pgrep: `[ -e ${file("pods-run")} ]`,
        });
        pods("StatefulSet", "DaemonSet");
        writeFileSync(
            file("volumes"),
            JSON.stringify({ items: [volume("lost", "machine-3"), volume("kept", "machine-2")] }),
        );
    });
    afterEach(() => restore());
    const pods = (...owners: string[]) => {
        const items = owners.map((kind) => ({ metadata: { name: kind, ownerReferences: [{ kind }] } }));
        writeFileSync(file("pods"), JSON.stringify({ items }));
    };
    const cluster = (...nodes: object[]) => writeFileSync(file("nodes"), JSON.stringify({ items: nodes }));

    it("are retired lost ones first", () => {
        const found = retirementOrder(
            [
                { name: "machine-1", address: "", ready: true },
                { name: "living", address: "", ready: true },
                { name: "lost", address: "", ready: false },
            ],
            [named("machine-1")],
        );
        assert.deepEqual(
            found.map(({ name }) => name),
            ["lost", "living"],
        );
    });

    it("are left alone while the configuration has them, even when they are lost", async () => {
        cluster(node("machine-1", true), node("machine-2", false));
        await provider.create(inputs("machine-1", "machine-2"));
        assert.deepEqual(changes(), []);
    });

    it("are forgotten with what is bound to them when they are lost, without a drain", async () => {
        cluster(node("machine-1", true), node("machine-2", true), node("machine-3", false));
        await provider.create(inputs("machine-1", "machine-2"));
        assert.deepEqual(
            changes().map((call) => call.replace("kubectl --request-timeout=30s ", "")),
            [
                "delete node machine-3 --ignore-not-found --wait=false",
                "-n kube-system delete secret machine-3.node-password.k3s --ignore-not-found",
                "-n postgres delete pvc data-lost --ignore-not-found --wait=false",
                "delete pv lost --ignore-not-found --wait=false",
                'patch pv lost --type=merge -p {"metadata":{"finalizers":null}}',
                "kubectl delete pods --all-namespaces --field-selector spec.nodeName=machine-3 --grace-period=0 --force --wait=false",
            ],
        );
    });

    it("are drained and stopped first when they live", async () => {
        cluster(node("machine-1", true), node("machine-3", true));
        const olds = inputs("machine-1", "machine-3");
        const outs = await provider.update?.("roster", olds, inputs("machine-1"));
        assert.deepEqual(outs, inputs("machine-1"));
        const [drained, stopped, stoppedAgent, forgotten] = changes();
        assert.match(drained ?? "", /^kubectl drain machine-3 --ignore-daemonsets .*--timeout=300s$/);
        assert.equal(stopped, "systemctl disable --now k3s");
        assert.equal(stoppedAgent, "systemctl disable --now k3s-agent");
        assert.match(forgotten ?? "", /delete node machine-3/);
    });

    it("keep everything when they live and cannot be drained: the only copy may be there", async () => {
        cluster(node("machine-1", true), node("machine-3", true));
        writeFileSync(file("drain-fails"), "");
        await assert.rejects(
            async () => provider.update?.("roster", inputs("machine-1", "machine-3"), inputs("machine-1")),
            /machine-3: leaving the cluster[^]*nothing was removed[^]*disruption budget/,
        );
        assert.deepEqual(
            changes().map((call) => call.split(" ").slice(0, 3).join(" ")),
            ["kubectl drain machine-3", "kubectl --request-timeout=30s uncordon"],
        );
    });

    it("keep everything when their k3s is silent and their pods run: the primary may be among them", async () => {
        cluster(node("machine-1", true), node("machine-3", false));
        const update = async () => provider.update?.("roster", inputs("machine-1", "machine-3"), inputs("machine-1"));
        writeFileSync(file("pods-run"), "");
        await assert.rejects(update, /machine-3: leaving the cluster[^]*its pods run[^]*nothing was removed/);
        assert.deepEqual(changes(), []);
        rmSync(file("pods-run"));
        await update();
        assert.match(changes()[0] ?? "", /delete node machine-3/);
    });

    it("are forgotten when a retirement was broken off after their drain, though the pods of DaemonSets run", async () => {
        cluster(node("machine-1", true), node("machine-3", false));
        writeFileSync(file("pods-run"), "");
        pods("DaemonSet");
        await provider.update?.("roster", inputs("machine-1", "machine-3"), inputs("machine-1"));
        assert.match(changes()[0] ?? "", /delete node machine-3/);
    });

    it("show as a change until they are retired", async () => {
        const olds = inputs("machine-1", "machine-3");
        assert.equal((await provider.diff("roster", olds, inputs("machine-1"))).changed, true);
        assert.equal((await provider.diff("roster", olds, olds)).changed, false);
    });
});
