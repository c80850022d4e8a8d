import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addedParameters } from "../../../components/patroni/apply-dynamic-config";
import { provider, type PatroniStateOutputs } from "../../../components/patroni/cluster.step";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";
import { TestMachine } from "../machines/ssh-server";

const members = [
    { name: "postgres-0", role: "leader", state: "running" },
    { name: "postgres-1", role: "sync_standby", state: "streaming" },
];

/** A script in place of k3s, with Patroni's answers in files: it proves what is asked and written, not what Patroni does. */
describe("dynamic configuration changed by hand", function () {
    this.timeout(60_000);
    const directory = temporaryDirectory();
    const file = (name: string) => join(directory.path(), name);
    const machine = new TestMachine();
    let restore: () => void;
    const wanted = { ttl: 23, postgresql: { parameters: { work_mem: "4MB" } } };
    const hold = (config: object, list: object[] = members) => {
        writeFileSync(file("config"), JSON.stringify(config));
        writeFileSync(file("cluster"), JSON.stringify({ members: list }));
    };
    /** One on each node, by the revision of its template. */
    const proxiesOf = (on: Record<string, string> = {}, ...silent: string[]) => {
        const status = (isReady: boolean) => ({ conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] });
        const nodes = Object.keys(on).map((name) => ({ metadata: { name }, status: status(!silent.includes(name)) }));
        const pods = Object.entries(on).map(([nodeName, revision]) => ({
            metadata: { name: `proxy-${nodeName}`, labels: { "controller-revision-hash": revision } },
            ...{ spec: { nodeName }, status: status(true) },
        }));
        writeFileSync(file("nodes"), JSON.stringify({ items: nodes }));
        writeFileSync(file("proxies"), JSON.stringify({ items: pods }));
    };
    const state = (): PatroniStateOutputs => ({
        cluster: "postgres",
        namespace: "postgres",
        instances: ["postgres-0", "postgres-1"],
        dynamicConfig: wanted,
        servers: [machine.access()],
        template: "1",
        proxies: {
            namespace: "postgres-proxy",
            name: "postgres-haproxy",
            generation: "1",
            nodes: ["machine-1", "machine-2"],
        },
        machines: [],
        owner: { name: "app", password: "secret" },
        status: { serving: true, redundant: true, members: 2, healthyMembers: 2 },
    });
    const diff = async () => (await provider.diff("postgres", state(), state())).changed;

    before(() => {
        machine.rewrite = (command) => command.replace("test -x /usr/local/bin/k3s", "true");
        return machine.start();
    });
    after(() => machine.stop());
    beforeEach(() => {
        restore = fakeCommands(directory.path(), {
            k3s: `
case "$*" in
*"get --raw /readyz"*) printf ok ;;
*"get statefulset"*) echo '{"metadata":{"generation":1},"status":{"observedGeneration":1,"updateRevision":"1"}}' ;;
*"get daemonset"*) echo 1 1 ;;
*"get controllerrevisions"*) echo '{"items":[{"metadata":{"labels":{"controller-revision-hash":"b"}},"revision":2}]}' ;;
*"get nodes"*) cat ${file("nodes")} ;;
*"postgres-proxy get pods"*) cat ${file("proxies")} ;;
*"get pods"*) echo '{"items":[]}' ;;
*"PATCH"*) cat > ${file("patch")}; cp ${file("after")} ${file("config")}; cat ${file("config")} ;;
*"/config") cat ${file("config")} ;;
*"/cluster") cat ${file("cluster")} ;;
esac`,
        });
        rmSync(file("patch"), { force: true });
        proxiesOf();
        hold(wanted);
    });
    afterEach(() => restore());

    it("is a proxy of an earlier template, unless its machine is off", async () => {
        proxiesOf({ "machine-1": "b", "machine-2": "a" });
        assert.equal(await diff(), true);
        proxiesOf({ "machine-1": "b", "machine-2": "a" }, "machine-2");
        assert.equal(await diff(), false);
        proxiesOf({ "machine-1": "b", "machine-2": "b" });
        assert.equal(await diff(), false);
    });

    it("is none while it is as asked for, and a key that only operators set is none either", async () => {
        assert.equal(await diff(), false);
        hold({ ...wanted, pause: true });
        assert.equal(await diff(), false);
    });

    it("is noticed when a value differs, is missing, or a parameter was added", async () => {
        hold({ ...wanted, ttl: 60 });
        assert.equal(await diff(), true);
        hold({ postgresql: wanted.postgresql });
        assert.equal(await diff(), true);
        hold({ ...wanted, postgresql: { parameters: { work_mem: "4MB", fsync: "off" } } });
        assert.equal(await diff(), true);
    });

    it("is noticed when an instance waits for a restart", async () => {
        hold(wanted, [{ ...members[0], pending_restart: true }, members[1] ?? {}]);
        assert.equal(await diff(), true);
    });

    it("is not guessed at while nothing answers", async () => {
        restore();
        restore = fakeCommands(directory.path(), { k3s: "exit 1" });
        assert.equal(await diff(), false);
    });

    it("is put right by the next update: what differs is written, what was added is taken out", async () => {
        hold({ ttl: 60, pause: true, postgresql: { parameters: { work_mem: "4MB", fsync: "off" } } });
        writeFileSync(file("after"), JSON.stringify(wanted));
        const outs = await provider.update?.("postgres", state(), state());
        assert.equal(outs?.status.redundant, true);
        assert.deepEqual(JSON.parse(readFileSync(file("patch"), "utf8")), {
            ttl: 23,
            postgresql: { parameters: { work_mem: "4MB", fsync: null } },
        });
    });

    it("is not written when it is as asked for", async () => {
        await provider.update?.("postgres", state(), state());
        assert.equal(existsSync(file("patch")), false);
    });

    it("has no added parameters where there are none", () => {
        assert.deepEqual(addedParameters(wanted, {}), {});
        assert.deepEqual(addedParameters({}, { postgresql: { parameters: { a: "1" } } }), { a: null });
    });
});
