import assert from "node:assert/strict";
import type { RunOptions, RunResult, SshConnection } from "../../../components/machines/ssh";
import { startAnew } from "../../../components/patroni/rebirth";
import { refuseMissing, stopInstances } from "../../../components/patroni/stopping";
import { missingOf, type StoppedData } from "../../../components/patroni/unarchived";

interface Instance {
    /** Undefined: its pod cannot be asked. */
    mark?: number;
    data: "none" | "some" | "in the making";
}

/** A server whose kubectl answers as these instances would, and which remembers what it was told to change. */
class FakeServer {
    readonly changes: string[] = [];
    stoppedFor = "";
    stoppedAfter = "";
    isPaused = false;
    /** Answers to those who end a segment; empty: none. */
    switches: string[] = [];
    archived = "00000001000000000000000A";
    silentNode = "";
    /** What the pod that has an instance's volume prints. */
    volumes: Record<string, string> = {};
    lookedAt: { metadata: { name: string }; spec: { volumes: object[]; containers: object[] } }[] = [];

    constructor(
        private replicas: number,
        private readonly instances: Record<string, Instance> = {},
    ) {}

    readonly ssh = {
        run: (command: string, { stdin }: RunOptions = {}) =>
            Promise.resolve(this.answer(command, typeof stdin === "string" ? stdin : "")),
    } as unknown as SshConnection;

    private answer(command: string, stdin: string): RunResult {
        const said = (stdout: string): RunResult => ({ exitCode: 0, stdout, stderr: "" });
        const patch = /patch statefulset .*--patch '(.*)'/.exec(command)?.[1];
        if (patch !== undefined) {
            const { metadata, spec } = JSON.parse(patch) as {
                metadata: { annotations: Record<string, string | null> };
                spec: { replicas: number };
            };
            this.stoppedFor = metadata.annotations[`${notes}-for`] ?? "";
            this.stoppedAfter = metadata.annotations[`${notes}-after`] ?? "";
            this.replicas = spec.replicas;
            this.changes.push(`scale ${spec.replicas}`);
            return said("");
        }
        if (command.includes("get nodes")) {
            const node = (name: string) => ({
                metadata: { name },
                status: { conditions: [{ type: "Ready", status: name === this.silentNode ? "Unknown" : "True" }] },
            });
            return said(JSON.stringify({ items: ["machine-0", "machine-1", "machine-2"].map(node) }));
        }
        if (command.includes("NODE:") && this.replicas > 0) {
            return said(location.instances.map((name, index) => `${name}   machine-${index}\n`).join(""));
        }
        if (command.includes("get statefulset")) {
            const annotations = {
                [`${notes}-for`]: this.stoppedFor,
                [`${notes}-after`]: this.stoppedAfter || undefined,
            };
            return said(JSON.stringify({ metadata: { annotations }, spec: { ...set.spec, replicas: this.replicas } }));
        }
        if (command.includes("get persistentvolumeclaims")) {
            const phase = (name: string) => (this.volumes[name] === "unbound" ? "Pending" : "Bound");
            return said(location.instances.map((name) => `data-${name}   ${phase(name)}\n`).join(""));
        }
        if (command.includes("/config")) return said(JSON.stringify({ pause: this.isPaused }));
        if (command.includes("create -f -")) {
            this.lookedAt = (JSON.parse(stdin) as { items: FakeServer["lookedAt"] }).items;
            return said("");
        }
        if (command.includes("PHASE")) {
            const phase = (pod: string) =>
                this.volumes[pod.replace(/-look-.*/, "")] === "damaged" ? "Failed" : "Succeeded";
            return said(this.lookedAt.map(({ metadata: { name } }) => `${name}   ${phase(name)}\n`).join(""));
        }
        if (command.includes(" delete pods ")) {
            this.changes.push("delete");
            return said("");
        }
        if (command.includes(" logs ")) return said(this.volumes[/logs (\S+)-look/.exec(command)?.[1] ?? ""] ?? "");
        if (stdin.includes("etcdctl")) {
            this.changes.push("forget");
            return said("");
        }
        if (stdin.includes("pg_switch_wal")) {
            const answer = this.switches.shift() ?? "00000001000000000000000A\n";
            return answer === "" ? { exitCode: 2, stdout: "", stderr: "connection refused" } : said(answer);
        }
        if (stdin.includes("last_archived_wal")) return said(this.archived);
        if (command.includes("/cluster")) {
            return said(JSON.stringify({ members: [{ name: "orders-0", role: "leader", state: "running" }] }));
        }
        const instance = this.instances[/exec -i (\S+)/.exec(command)?.[1] ?? ""];
        if (instance !== undefined && instance.mark === undefined) return { exitCode: 1, stdout: "", stderr: "gone" };
        if (stdin.includes("restore-generation")) return said(`${instance?.mark}\n`);
        if (stdin.includes("PG_VERSION")) return said(`${instance?.data}\n`);
        return said("");
    }
}

const location = { cluster: "orders", namespace: "orders", instances: ["orders-0", "orders-1", "orders-2"] };

const notes = "postgres-ha/stopped";

const set = {
    spec: {
        volumeClaimTemplates: [{ metadata: { name: "data" } }],
        template: {
            spec: {
                securityContext: { runAsUser: 999 },
                containers: [
                    { name: "agent", image: "agent:1", volumeMounts: [] },
                    {
                        name: "postgresql",
                        image: "patroni:1",
                        imagePullPolicy: "Never",
                        securityContext: {},
                        volumeMounts: [
                            { name: "data", mountPath: "/data" },
                            { name: "config", mountPath: "/etc/patroni" },
                        ],
                    },
                ],
            },
        },
    },
};

const rebirth = { generation: 3, etcdMembers: ["orders-etcd-0"] };

async function restore(replicas: number, ...instances: Instance[]): Promise<string[]> {
    const named = Object.fromEntries(instances.map((instance, index) => [`orders-${index}`, instance]));
    const server = new FakeServer(replicas, named);
    await startAnew(server.ssh, location, rebirth, 0);
    return server.changes;
}

describe("a restore that an update carries out", () => {
    const before: Instance = { mark: 2, data: "some" };
    const empty: Instance = { mark: 3, data: "none" };
    const restored: Instance = { mark: 3, data: "some" };
    const silent: Instance = { data: "none" };

    it("forgets the cluster and starts instances that the preparation has stopped", async () => {
        const server = new FakeServer(3);
        await stopInstances(server.ssh, location, "restore 3", 0);
        await startAnew(server.ssh, location, rebirth, 0);
        assert.deepEqual(server.changes, ["scale 0", "scale 0", "forget", "scale 3"]);
    });

    it("starts those that were stopped for anything else, and asks them what they have before it forgets anything", async () => {
        const [started, stopped] = [["scale 3"], ["scale 0", "forget", "scale 3"]];
        // An update that ended before its state was saved had restored them.
        assert.deepEqual(await restore(0, restored, restored, restored), started);
        assert.deepEqual(await restore(0, { mark: 4, data: "some" }, restored, restored), started);
        assert.deepEqual(await restore(0, empty, empty, empty), [...started, ...stopped]);
        const server = new FakeServer(3, { "orders-0": restored, "orders-1": restored, "orders-2": restored });
        await stopInstances(server.ssh, location, "restore 4", 0);
        await startAnew(server.ssh, location, rebirth, 0);
        assert.deepEqual(server.changes, ["scale 0", "scale 3"]);
        // What somebody stops now was not stopped for it.
        assert.equal(server.stoppedFor, "");
    });

    it("stops those that somebody has started since, with the data of before or with none", async () => {
        const changes = ["scale 0", "forget", "scale 3"];
        assert.deepEqual(await restore(3, before, before, silent), changes);
        assert.deepEqual(await restore(3, empty, empty, empty), changes);
    });

    it("leaves alone what it has made already, when the update that began it is repeated", async () => {
        assert.deepEqual(await restore(3, restored, restored, restored), []);
        assert.deepEqual(await restore(3, { mark: 3, data: "in the making" }, empty, empty), []);
        // Of the one that does not answer nobody knows whether it has the restored data.
        assert.deepEqual(await restore(3, empty, empty, silent), []);
    });

    it("changes nothing while no instance can be asked", async () => {
        await assert.rejects(restore(3, silent, silent, silent), /run the update again when a pod runs/);
    });
});

describe("stopping the instances for a restore", () => {
    it("is refused while the repository lacks what was acknowledged last", async function () {
        this.timeout(10_000);
        const server = new FakeServer(3);
        server.archived = "000000010000000000000009";
        const stopping = stopInstances(server.ssh, location, "restore 3", 0);
        await assert.rejects(stopping, /would leave it behind.*000000010000000000000009.*--replicas=0/s);
        assert.deepEqual(server.changes, []);
    });

    it("is refused while an instance is on a machine that is off: the others would wait for it, stopped", async () => {
        const server = new FakeServer(3);
        server.silentNode = "machine-1";
        const stopping = stopInstances(server.ssh, location, "restore 3", 0);
        await assert.rejects(stopping, /restore 3: .*: orders-1 on machine-1\. .*Nothing was stopped or changed/);
        assert.deepEqual(server.changes, []);
        // Nor is one that a machine which is off has had before.
        const stopped = new FakeServer(0);
        stopped.silentNode = "machine-1";
        await stopInstances(stopped.ssh, location, "restore 3", 0);
    });

    it("goes on when it is archived, or when nobody runs", async () => {
        const server = new FakeServer(3);
        await stopInstances(server.ssh, location, "restore 3", 0);
        assert.deepEqual(server.changes, ["scale 0"]);
    });

    it("goes on with the successor of a primary that is lost meanwhile, and is refused where none does it", async () => {
        const server = new FakeServer(3);
        server.switches = ["", "00000001000000000000000A\n"];
        assert.equal((await stopInstances(server.ssh, location, "restore 3", 0))?.primary, "orders-0");
        const other = new FakeServer(3);
        other.switches = ["", "", ""];
        const stopping = stopInstances(other.ssh, location, "restore 3", 0);
        await assert.rejects(
            stopping,
            /leave it behind: orders-0: .*cannot be ended: connection refused.*--replicas=0/s,
        );
        assert.deepEqual(other.changes, []);
    });

    it("is refused while Patroni is paused, which would kill them", async () => {
        const server = new FakeServer(3);
        server.isPaused = true;
        const stopping = stopInstances(server.ssh, location, "restore 3", 0);
        await assert.rejects(stopping, /patronictl resume.*Nothing was stopped/);
        assert.deepEqual(server.changes, []);
    });

    it("says up to where the repository should have everything: nowhere where a person has stopped them", async () => {
        const archived = { primary: "orders-0", segment: "00000001000000000000000A" };
        const server = new FakeServer(3);
        assert.deepEqual(await stopInstances(server.ssh, location, "restore 3", 0), archived);
        // An update that was broken off before it had looked.
        assert.deepEqual(await stopInstances(server.ssh, location, "restore 3", 0), archived);
        assert.equal(await stopInstances(server.ssh, location, "restore 4", 0), undefined);
        assert.equal(await stopInstances(server.ssh, location, "restore 4", 0), undefined);
        assert.equal(await stopInstances(new FakeServer(0).ssh, location, "restore 3", 0), undefined);
    });
});

describe("what the instances had not archived when they ended", () => {
    const segment = "00000003000000000000000B";
    const archived = { primary: "orders-1", segment: "00000003000000000000000A" };
    const standby = `shut down in recovery\n3\n${segment}\n`;
    const look = (volumes: FakeServer["volumes"]) => {
        const server = new FakeServer(0);
        server.volumes = volumes;
        return { server, looking: refuseMissing(server.ssh, location, "restore 3", archived) };
    };

    it("is read from each volume, in a pod that has nothing else, and goes again", async () => {
        const { server, looking } = look({
            "orders-0": standby,
            "orders-1": `shut down\n3\n${segment}\n00000003.partial\n`,
            "orders-2": "unbound",
        });
        await assert.rejects(looking, (error: Error) => {
            assert.ok(error.message.includes(`leave it behind: orders-1 has ${segment} and could not archive it`));
            assert.match(error.message, /Run the update again.*--replicas=0/s);
            return true;
        });
        assert.deepEqual(server.changes, ["delete", "delete"]);
        assert.deepEqual(
            server.lookedAt.map(({ metadata, spec }) => [metadata.name.replace(/-[0-9a-f]+$/, ""), spec.volumes]),
            ["orders-0", "orders-1"].map((name) => [
                `${name}-look`,
                [{ name: "data", persistentVolumeClaim: { claimName: `data-${name}` } }],
            ]),
        );
        const [container] = server.lookedAt[0]?.spec.containers ?? [];
        assert.deepEqual(
            { ...container, command: [] },
            {
                ...{ name: "look", image: "patroni:1", imagePullPolicy: "Never", securityContext: {}, command: [] },
                volumeMounts: [{ name: "data", mountPath: "/data" }],
            },
        );
    });

    it("is nothing after a primary that ended in order, whatever the others' volumes are like", async () => {
        await look({ "orders-0": "damaged", "orders-1": "shut down\n3\n", "orders-2": "" }).looking;
    });

    it("is not known while the primary's volume cannot be read, whatever the others' are like", async () => {
        const old = "shut down\n2\n";
        for (const own of ["damaged", "unbound"]) {
            const { looking } = look({ "orders-0": standby, "orders-1": own, "orders-2": old });
            await assert.rejects(looking, /what orders-1 has written last is on no volume that can be read/);
        }
    });

    const primary: StoppedData = { instance: "orders-1", state: "shut down", timeline: 3, waiting: [] };

    it("is the last WAL of a primary that was killed, not of one that was replaced before", () => {
        const killed = { ...primary, state: "in production" };
        const told = /orders-1 was killed before it had archived its last WAL \(in production\)/;
        assert.match(missingOf([killed], archived) ?? "", told);
        assert.match(missingOf([{ ...primary, state: "in crash recovery" }], archived) ?? "", /was killed/);
        assert.equal(missingOf([{ ...killed, instance: "orders-0", timeline: 2 }, primary], archived), undefined);
        assert.match(missingOf([{ ...primary, waiting: ["00000003.history"] }], archived) ?? "", /00000003\.history/);
        // Promoted while the others stopped.
        assert.equal(missingOf([killed, { ...primary, instance: "orders-0", timeline: 4 }], archived), undefined);
    });

    it("is not known without the data of a primary", () => {
        for (const found of [
            [],
            [{ ...primary, state: "shut down in recovery" }],
            [{ ...primary, state: "" }],
            [{ ...primary, timeline: 2 }],
        ]) {
            assert.match(missingOf(found, archived) ?? "", /on no volume that can be read/);
        }
    });
});
