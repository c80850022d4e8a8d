import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { runPulumi, unattended } from "../commands/run-pulumi";
import { assess, databaseReasons, wholenessReasons } from "../commands/status/assessment";
import { observe, type Observation } from "../commands/status/collect";
import { probeEtcd } from "../commands/status/etcd";
import { Kubernetes } from "../commands/status/kubernetes";
import { probeInstances, type InstanceStatus } from "../commands/status/patroni";
import { entriesOf, type Entry } from "../commands/status/session";
import { openStack, readStackState, type KnownMachine, type StackState } from "../commands/status/stack-state";
import { Tunnel } from "../commands/status/tunnel";
import type { Workspace } from "../commands/workspace";
import { waitForServer } from "../components/k3s/cluster-access";
import type { SshConnection } from "../components/machines/ssh";
import { askAnyInstance } from "../components/patroni/api";
import { checkout } from "../offline/checkout";
import type { EffectiveTimers } from "./bars";
import { shellOn, type Shell } from "./machine/shell";
import { assertDrillsAllowed } from "./permission";

/** An instance and the machine its pod runs on. */
export interface PlacedInstance {
    name: string;
    machine: KnownMachine;
}

/** With the connection to the machine. */
export interface MachineOf extends PlacedInstance {
    ssh: Shell;
}

/** A running stack as drills see it: what runs where, whether it is whole, and the means to harm and mend it. */
export class Cluster {
    readonly tunnel: Tunnel;
    readonly kubernetes: Kubernetes;
    readonly readWrite: Entry[];
    readonly readOnly: Entry[];

    private constructor(
        readonly workspace: Workspace,
        readonly state: StackState,
    ) {
        const { outputs, machines } = state;
        this.tunnel = new Tunnel(machines.map(({ access }) => access));
        this.kubernetes = new Kubernetes(state);
        this.readWrite = entriesOf(outputs.connectionString, outputs.caCertificate);
        this.readOnly = entriesOf(outputs.readOnlyConnectionString, outputs.caCertificate);
    }

    static async open(): Promise<Cluster> {
        const workspace = await openStack();
        await assertDrillsAllowed(workspace);
        return new Cluster(workspace, await readStackState(workspace));
    }

    observe(): Promise<Observation> {
        return observe(this.state, this.tunnel);
    }

    machine(name: string): KnownMachine {
        const found = this.state.machines.find((machine) => machine.name === name);
        if (found === undefined) {
            throw new Error(`the stack has no machine ${name}`);
        }
        return found;
    }

    async place(instance: string): Promise<PlacedInstance> {
        const { spec } = await this.kubernetes.pod(this.state.namespace, instance);
        return { name: instance, machine: this.machine(spec.nodeName ?? "(none)") };
    }

    async primary(): Promise<PlacedInstance> {
        const instances = await probeInstances(this.state, this.tunnel);
        const primary = instances.find(({ role, answers }) => role === "primary" && answers);
        if (primary === undefined) {
            throw new Error(`no instance is primary: ${JSON.stringify(instances)}`);
        }
        return this.place(primary.name);
    }

    /** Every replica, the synchronous standby first. */
    async replicas(): Promise<PlacedInstance[]> {
        return Promise.all((await this.replicasByRank()).map(({ name }) => this.place(name)));
    }

    private async replicasByRank(): Promise<InstanceStatus[]> {
        const instances = await probeInstances(this.state, this.tunnel);
        const replicas = instances.filter(({ role }) => role === "replica");
        return replicas.sort((a, b) => Number(b.synchronous) - Number(a.synchronous));
    }

    /** The synchronous standby: the replica whose loss is felt. */
    async standby(): Promise<PlacedInstance> {
        const [standby] = await this.replicas();
        if (standby === undefined) {
            throw new Error("there is no replica");
        }
        return standby;
    }

    /** The replica that no commit waits for, where not all are waited for. */
    async asynchronousReplica(): Promise<PlacedInstance & { synchronous: boolean }> {
        const replica = (await this.replicasByRank()).at(-1);
        if (replica === undefined) {
            throw new Error("there is no replica");
        }
        return { ...(await this.place(replica.name)), synchronous: replica.synchronous };
    }

    /** Of every machine. */
    get shells(): Shell[] {
        return this.state.machines.map((machine) => this.shell(machine));
    }

    shell({ access }: KnownMachine): Shell {
        return shellOn(this.tunnel, access);
    }

    machineOf(placed: PlacedInstance): MachineOf {
        return { ...placed, ssh: this.shell(placed.machine) };
    }

    async primaryMachine(): Promise<MachineOf> {
        return this.machineOf(await this.primary());
    }

    /**
     * The primary, as soon as there is one whose PostgreSQL runs. `after`: a timeline that it must have left, because
     * Patroni names the one that was just killed until its next loop.
     */
    async nextPrimary(timeoutSeconds: number, after = 0): Promise<MachineOf & { timeline: number }> {
        const end = Date.now() + timeoutSeconds * 1000;
        for (;;) {
            const instances = await probeInstances(this.state, this.tunnel, 2000);
            const primary = instances.find(
                ({ role, state, answers, timeline }) =>
                    role === "primary" && state === "running" && answers && (timeline ?? 0) > after,
            );
            if (primary?.timeline !== undefined) {
                const { timeline } = primary;
                return { ...this.machineOf(await this.place(primary.name)), timeline };
            }
            if (Date.now() > end) {
                throw new Error(`no instance is a running primary of a timeline after ${after}: ${timeoutSeconds} s`);
            }
            await sleep(200);
        }
    }

    /** The address of a pod itself, which its packets come from. */
    async podAddress(name: string): Promise<string> {
        const { status } = await this.kubernetes.pod(this.state.namespace, name);
        if (status?.podIP === undefined) {
            throw new Error(`pod ${name} has no address`);
        }
        return status.podIP;
    }

    /**
     * Hands the primary over to an instance, which is made a synchronous standby first where it is not: with several replicas
     * that takes as many switchovers as Patroni takes to choose it. Returns how many it took.
     */
    async makePrimary(instance: string, atMost = 10): Promise<number> {
        const { name: leader } = await this.primary();
        if (leader === instance) {
            return 0;
        }
        const replicas = await this.replicasByRank();
        if (!replicas.some(({ name, synchronous }) => synchronous && name === instance)) {
            if (atMost <= 1) throw new Error(`${instance} is not made a synchronous standby`);
            const first = await this.makePrimary((await this.standby()).name, 1);
            await this.waitUntilHealed();
            return first + (await this.makePrimary(instance, atMost - 1));
        }
        await this.askPatroni("POST", "/switchover", { leader, candidate: instance });
        await this.waitUntilHealed();
        return 1;
    }

    /** The folder on the machine that holds an instance's data. */
    async dataVolume(instance: string): Promise<string> {
        const claim = await this.kubernetes.get<{ spec: { volumeName: string } }>(
            `/api/v1/namespaces/${this.state.namespace}/persistentvolumeclaims/data-${instance}`,
        );
        const volume = await this.kubernetes.get<{
            spec: { hostPath?: { path: string }; local?: { path: string } };
        }>(`/api/v1/persistentvolumes/${claim.spec.volumeName}`);
        const path = (volume.spec.hostPath ?? volume.spec.local)?.path;
        if (path === undefined) {
            throw new Error(`volume ${claim.spec.volumeName} is no folder of a machine`);
        }
        return path;
    }

    /** Patroni's REST API with an instance's own certificate, which changes need. */
    async askPatroni<Answer>(method: "GET" | "POST" | "PATCH", path: string, body?: object): Promise<Answer> {
        const { cluster, namespace, instances } = this.state;
        const location = { cluster, namespace, instances: instances.map(({ name }) => name) };
        return askAnyInstance<Answer>(await this.server(), location, method, path, body);
    }

    /** A server whose Kubernetes API answers; after a fault that had to do with it, it may be starting. */
    async server(): Promise<SshConnection> {
        const servers = this.state.machines.filter(({ role }) => role === "server").map(({ access }) => access);
        return this.tunnel.ssh(await waitForServer(servers));
    }

    /** What Patroni really uses, which it may have changed silently. */
    async timers(): Promise<EffectiveTimers> {
        const config = await this.askPatroni<{
            ttl: number;
            postgresql?: { parameters?: { wal_sender_timeout?: string } };
        }>("GET", "/config");
        const walSenderTimeout = Number.parseFloat(config.postgresql?.parameters?.wal_sender_timeout ?? "60s");
        return { ttl: config.ttl, walSenderTimeout };
    }

    /** Until the database has all members, a synchronous standby and all of etcd. Returns the seconds it took. */
    async waitUntilHealed(timeoutSeconds = 600): Promise<number> {
        return this.waitUntil(timeoutSeconds, async () => {
            const [etcd, instances] = await Promise.all([
                probeEtcd(this.state, this.tunnel, 3000),
                probeInstances(this.state, this.tunnel, 3000),
            ]);
            return databaseReasons({ etcd, instances });
        });
    }

    /** Until every layer is whole, whatever the database's settings are. */
    async waitUntilWhole(timeoutSeconds: number): Promise<number> {
        return this.waitUntil(timeoutSeconds, async () => wholenessReasons(await this.observe()));
    }

    /** Until every layer is whole, machines and nodes included, and nothing is set that would lose a write. */
    async waitUntilRedundant(timeoutSeconds = 600): Promise<number> {
        return this.waitUntil(timeoutSeconds, async () => {
            const { redundant, serving, reasons } = assess(await this.observe(), new Date());
            return redundant ? [] : serving ? reasons : ["no write works", ...reasons];
        });
    }

    private async waitUntil(timeoutSeconds: number, ask: () => Promise<string[]>): Promise<number> {
        const begin = Date.now();
        for (;;) {
            const reasons = await ask();
            const seconds = (Date.now() - begin) / 1000;
            if (reasons.length === 0) {
                return seconds;
            }
            if (seconds > timeoutSeconds) {
                throw new Error(`the stack is not whole after ${timeoutSeconds} s:\n- ${reasons.join("\n- ")}`);
            }
            await sleep(500);
        }
    }

    /** Runs `pulumi` on the stack, its output on this terminal. */
    async pulumi(...args: string[]): Promise<void> {
        const { status } = await runPulumi(this.workspace, args);
        if (status !== 0) {
            throw new Error(`pulumi ${args.join(" ")}: status ${status} (see above)`);
        }
    }

    update(...args: string[]): Promise<void> {
        return this.pulumi("up", ...unattended, ...args);
    }

    refresh(): Promise<void> {
        return this.pulumi("refresh", ...unattended);
    }

    /** Runs `pulumi` on the stack and keeps its output, whatever its status is. */
    tryPulumi(...args: string[]): { status: number | null; output: string } {
        const done = spawnSync("pulumi", [...args, "--stack", this.state.stack, "--non-interactive"], {
            cwd: checkout,
            env: this.workspace.environment,
            encoding: "utf8",
            // Longer than an update waits for a cluster by itself.
            timeout: 1_500_000,
            maxBuffer: 2 ** 26,
        });
        return { status: done.status, output: `${done.stdout}${done.stderr}` };
    }

    tryUpdate(...args: string[]): { status: number | null; output: string } {
        return this.tryPulumi("up", ...unattended, ...args);
    }

    close(): void {
        this.tunnel.close();
    }
}
