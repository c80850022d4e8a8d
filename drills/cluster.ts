import { setTimeout as sleep } from "node:timers/promises";
import { runPulumi } from "../commands/run-pulumi";
import { assess, databaseReasons } from "../commands/status/assessment";
import { observe, type Observation } from "../commands/status/collect";
import { probeEtcd } from "../commands/status/etcd";
import { Kubernetes } from "../commands/status/kubernetes";
import { probeInstances } from "../commands/status/patroni";
import { entriesOf, type Entry } from "../commands/status/session";
import { openStack, readStackState, type KnownMachine, type StackState } from "../commands/status/stack-state";
import { Tunnel } from "../commands/status/tunnel";
import { devStack, type Workspace } from "../commands/workspace";
import { docker } from "../components/docker-cli";
import { ToolchainError } from "../offline/errors";

/** An instance and the machine its pod runs on. */
export interface PlacedInstance {
    name: string;
    machine: KnownMachine;
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
        const { stack } = workspace;
        if (stack !== devStack && process.env["DRILLS_ALLOWED"] !== stack) {
            throw new ToolchainError(
                `Drills kill machines, and ${stack} is not the dev stack.`,
                `If that is meant, set DRILLS_ALLOWED=${stack}.`,
            );
        }
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
        const instances = await probeInstances(this.state, this.tunnel);
        const replicas = instances.filter(({ role }) => role === "replica");
        replicas.sort((a, b) => Number(b.synchronous) - Number(a.synchronous));
        return Promise.all(replicas.map(({ name }) => this.place(name)));
    }

    /** Until the database has all members, a synchronous standby and all of etcd. Returns the seconds it took. */
    async waitUntilHealed(timeoutSeconds = 300): Promise<number> {
        return this.waitUntil(timeoutSeconds, async () => {
            const [etcd, instances] = await Promise.all([
                probeEtcd(this.state, this.tunnel, 3000),
                probeInstances(this.state, this.tunnel, 3000),
            ]);
            return databaseReasons({ etcd, instances });
        });
    }

    /** Until every layer is whole, machines and nodes included. */
    async waitUntilRedundant(timeoutSeconds = 300): Promise<number> {
        return this.waitUntil(timeoutSeconds, async () => {
            const { redundant, serving, reasons } = assess(await this.observe());
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
        return this.pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", ...args);
    }

    /** The container of a machine that the docker provider made. */
    container(machine: KnownMachine, purpose: string): string {
        if (machine.container === undefined) {
            throw new Error(`${purpose} needs a machine of the docker provider; do it by hand on ${machine.name}`);
        }
        return machine.container;
    }

    docker = (args: string[]): Promise<string> => docker(args);

    close(): void {
        this.tunnel.close();
    }
}
