import assert from "node:assert/strict";
import { podInterface, provider, type K3sNodeInputs } from "../../../components/k3s/node.step";
import { withSsh } from "../../../components/machines/ssh";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";
import { MachineFiles } from "../machines/machine-files";
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
            async () => provider.update?.("machine-1", agent, { ...agent, version: "v2" }),
            /machine-1 .*no server answers that this agent could join/,
        );
        assert.ok(machine.commands.every((command) => !command.includes("cat >")));
    });
});

describe("the update of a node", () => {
    it("does not ask the machine what only another operator's key or another peer has changed: it may be off", async () => {
        const ssh = { user: "root", port: 1, privateKey: "of one", hostKey: "ssh-ed25519 AAAA" };
        const access = { name: "machine-1", address: "192.0.2.1", privateAddress: "192.0.2.1", ssh };
        const olds: K3sNodeInputs = {
            ...{ node: "machine-1", role: "server", version: "v1", access, instance: "one", config: "", kubelet: "" },
            ...{ unit: "", authorities: {}, peers: [], roster: ["machine-1"], protectData: true },
        };
        const news = {
            ...olds,
            access: { ...access, ssh: { ...ssh, privateKey: "of another" } },
            ...{ peers: [access], disks: [access], protectData: false },
        };
        assert.deepEqual(await provider.update?.("machine-1", olds, news), news);
        assert.equal((await provider.diff("machine-1", olds, news)).replaces.length, 0);
        assert.equal((await provider.diff("machine-1", olds, { ...olds, disks: [access] })).changed, false);
    });
});

/** Files of this machine in a directory of its own, scripts in place of k3s. */
describe("the creation of a node", () => {
    const directory = temporaryDirectory();
    const files = new MachineFiles(() => directory.path());
    const machine = new TestMachine();
    let restore = (): void => undefined;
    before(() => {
        machine.rewrite = (command) => files.rewrite(command.replace("test -x /usr/local/bin/k3s && ", ""));
        return machine.start();
    });
    after(() => machine.stop());
    beforeEach(() => (machine.commands.length = 0));
    afterEach(() => {
        restore();
        files.clear();
    });

    const agent = (): K3sNodeInputs => ({
        ...{ node: "machine-1", role: "agent", version: "v1", access: machine.access(), instance: "one" },
        ...{ config: "token: ours\n", kubelet: "", unit: "", authorities: {} },
        ...{ peers: [{ ...machine.access(), name: "server-1" }], roster: ["machine-1", "server-1"] },
    });
    const put = files.put.bind(files);
    /** A cluster that knows these nodes; `uname` ends the step where the installation would begin. */
    const cluster = (...nodes: string[]): void => {
        const addresses = [{ type: "InternalIP", address: "192.0.2.9" }];
        const items = nodes.map((name) => ({ metadata: { name }, status: { conditions: [], addresses } }));
        restore = fakeCommands(directory.path(), {
            uname: "echo enough >&2; exit 1",
            systemctl: "exit 0",
            timeout: `case "$*" in *192.0.2.9/5432*) exit 1 ;; *192.0.2.9/8404*) [ -e ${directory.path()}/proxy-runs ] ;; *) exit 9 ;; esac`,
            k3s: `case "$*" in
*readyz*) printf ok ;;
*"get pods"*) cat ${directory.path()}/pods ;;
*"get nodes"*) echo '${JSON.stringify({ items })}' ;;
*persistentvolumes*) echo '{"items":[]}' ;;
*"get node "*) echo node/machine-1 ;;
esac`,
        });
    };
    const forgets = () => machine.commands.some((command) => command.includes("delete node machine-1"));

    it("takes the interface of its own address for pods where the default route is another's, unless one is set", async () => {
        const wanted = async (own: string, ofDefaultRoute: string, config = "token: ours\n"): Promise<string> => {
            restore();
            restore = fakeCommands(directory.path(), {
                ip: `case "$*" in
"-o -4 addr show to ${machine.access().privateAddress}/32") [ -z "${own}" ] || echo "3: ${own}    inet 192.0.2.1/24 scope global ${own}" ;;
"-o -4 route show default") [ -z "${ofDefaultRoute}" ] || echo "default via 198.51.100.1 dev ${ofDefaultRoute} proto static" ;;
*) exit 9 ;;
esac`,
            });
            return withSsh(machine.access(), (ssh) => podInterface(ssh, { ...agent(), config }));
        };
        assert.equal(await wanted("eth1", "eth0"), "flannel-iface: eth1\n");
        assert.equal(await wanted("eth1", ""), "flannel-iface: eth1\n");
        assert.equal(await wanted("eth0", "eth0"), "");
        assert.equal(await wanted("", "eth0"), "");
        assert.equal(await wanted("eth1", "eth0", "token: ours\nflannel-iface: eth2\n"), "");
    });

    it("leaves an agent that has joined in the cluster, with the claims on its volumes", async () => {
        cluster("machine-1", "server-1");
        put("/etc/rancher/node/password", "secret");
        put("/etc/rancher/k3s/config.yaml", "token: ours\n");
        await assert.rejects(provider.create(agent()), /enough/);
        assert.equal(forgets(), false);
    });

    it("takes an agent whose node was deleted in again, with the claims on its volumes", async () => {
        cluster("server-1");
        put("/etc/rancher/node/password", "secret");
        put("/etc/rancher/k3s/config.yaml", "token: ours\n");
        put("/var/lib/rancher/k3s/storage/pvc-1/file");
        await assert.rejects(provider.create(agent()), /enough/);
        assert.equal(forgets(), false);
        const at = (part: string) => machine.commands.findIndex((command) => command.includes(part));
        assert.ok(at("systemctl stop k3s-agent.service") >= 0);
        assert.ok(at("systemctl stop k3s-agent.service") < at("secret machine-1.node-password.k3s"));
        // Without what they claim the claims would keep its instance from starting anywhere.
        files.clear();
        put("/etc/rancher/node/password", "secret");
        await assert.rejects(provider.create(agent()), /enough/);
        assert.ok(forgets());
    });

    it("starts no new cluster where disks hold data of the old one, which its backups may not have", async () => {
        restore = fakeCommands(directory.path(), { uname: "echo enough >&2; exit 1", systemctl: "exit 0" });
        const disks = [{ ...machine.access(), name: "machine-4" }];
        const server: K3sNodeInputs = { ...agent(), role: "server", peers: [], disks, protectData: false };
        await assert.rejects(provider.create(server), /enough/);
        put("/var/lib/rancher/k3s/storage/pvc-1_postgres_data-postgres-0/pgdata/PG_VERSION", "18");
        await assert.rejects(
            provider.create(server),
            /would start a new one.*machine-4:\S*pvc-1_postgres_data-postgres-0\/pgdata\. .*total-loss\.md/s,
        );
    });

    it("forgets what was known of an agent whose host is new, after the end of its k3s", async () => {
        cluster("machine-1", "server-1");
        await assert.rejects(provider.create(agent()), /enough/);
        assert.ok(forgets());
        const at = (part: string) => machine.commands.findIndex((command) => command.includes(part));
        assert.ok(at("systemctl stop k3s-agent.service") < at("delete node machine-1"));
    });

    it("forgets a lost machine that was taken out, and none whose pods run on: the primary may be among them", async () => {
        cluster("server-1", "taken-out");
        const taken = () => machine.commands.some((command) => command.includes("delete node taken-out"));
        const pods = (...owners: string[]) => {
            const items = owners.map((kind) => ({ metadata: { name: kind, ownerReferences: [{ kind }] } }));
            put("/pods", JSON.stringify({ items }));
        };
        pods("DaemonSet", "StatefulSet");
        put("/proxy-runs", "");
        await assert.rejects(
            provider.create(agent()),
            /taken-out .*its pods run \(StatefulSet\)[^]*nothing was removed/,
        );
        assert.equal(taken(), false);
        pods("DaemonSet");
        await assert.rejects(provider.create(agent()), /enough/);
        assert.equal(taken(), true);
    });

    it("is refused on a node of another stack, which stays as it is", async () => {
        cluster("machine-1");
        put("/etc/rancher/k3s/config.yaml", "token: theirs\n");
        await assert.rejects(
            provider.create(agent()),
            /machine-1 .*node of another stack[^]*nothing of it was touched/,
        );
        assert.equal(machine.commands.length, 1);
    });
});

/** Scripts in place of k3s; whatever else would be run on the machine does nothing. */
describe("the end of a node", () => {
    const directory = temporaryDirectory();
    const machine = new TestMachine();
    let restore = (): void => undefined;
    before(() => {
        machine.rewrite = (command) => {
            const kubectl = /k3s kubectl .*/.exec(command)?.[0];
            return kubectl !== undefined && !command.includes("rm -rf") ? kubectl : "true";
        };
        return machine.start();
    });
    after(() => machine.stop());
    beforeEach(() => (machine.commands.length = 0));
    afterEach(() => restore());

    const node = (protectData: boolean): K3sNodeInputs => ({
        ...{ node: "machine-1", role: "server", version: "v1", access: machine.access(), instance: "one" },
        ...{ config: "", kubelet: "", unit: "", authorities: {}, peers: [machine.access()], roster: [] },
        protectData,
    });
    const cluster = (status: "True" | "Unknown"): void => {
        const items = [{ metadata: { name: "machine-1" }, status: { conditions: [{ type: "Ready", status }] } }];
        restore = fakeCommands(directory.path(), {
            k3s: `case "$*" in
*readyz*) printf ok ;;
*"get nodes"*) echo '${JSON.stringify({ items })}' ;;
*persistentvolumes*) echo '{"items":[]}' ;;
*"get node "*) echo node/machine-1 ;;
*drain*) echo "it would violate the pod's disruption budget" >&2; exit 1 ;;
esac`,
        });
    };
    const removals = () => machine.commands.filter((command) => /rm -rf|delete node/.test(command)).length;

    it("is refused while it lives, cannot be drained and data is protected: nothing is removed", async () => {
        cluster("True");
        await assert.rejects(
            async () => provider.delete?.("machine-1", node(true)),
            /machine-1 lives and cannot be drained[^]*nothing was removed[^]*disruption budget/,
        );
        assert.equal(removals(), 0);
    });

    it("goes on without that protection, and where the node is lost", async () => {
        for (const [status, protectData] of [["True", false] as const, ["Unknown", true] as const]) {
            machine.commands.length = 0;
            cluster(status);
            await provider.delete?.("machine-1", node(protectData));
            assert.equal(removals(), 2);
            restore();
        }
    });

    it("is refused when data is protected, its disks hold volumes and no other server answers", async () => {
        restore = fakeCommands(directory.path(), { k3s: "exit 1", ls: "echo pvc-1" });
        const { rewrite } = machine;
        machine.rewrite = (command) => (command.startsWith("ls -A") ? command : rewrite(command));
        try {
            await assert.rejects(
                async () => provider.delete?.("machine-1", node(true)),
                /machine-1 holds volumes, no other server's API answers[^]*nothing was removed/,
            );
            assert.equal(removals(), 0);
            await provider.delete?.("machine-1", node(false));
            assert.equal(removals(), 1);
        } finally {
            machine.rewrite = rewrite;
        }
    });

    it("fails when k3s cannot be taken off a host that answers, and not when none does", async () => {
        cluster("Unknown");
        const { rewrite } = machine;
        machine.rewrite = (command) =>
            command.includes("rm -rf") ? "echo still mounted >&2; exit 1" : rewrite(command);
        try {
            await assert.rejects(async () => provider.delete?.("machine-1", node(false)), /still mounted/);
        } finally {
            machine.rewrite = rewrite;
        }
        const gone = { ...node(false), access: machine.access({ port: 1 }) };
        await provider.delete?.("machine-1", gone);
    });

    it("may be protected without a touch of the host", async () => {
        const [olds, news] = [node(false), node(true)];
        assert.deepEqual(await provider.diff("machine-1", olds, news), { changed: true, replaces: [] });
        assert.deepEqual(await provider.update?.("machine-1", olds, news), news);
        assert.deepEqual(machine.commands, []);
    });
});
