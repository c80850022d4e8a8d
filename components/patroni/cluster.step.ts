import { isDeepStrictEqual } from "node:util";
import { outdatedProxies, rollProxies, type ProxySet } from "../haproxy/roll";
import { readyServer, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh, type SshConnection } from "../machines/ssh";
import { onChange, step, waitFor } from "../progress";
import { inputDiff, unknownInput, type StepProvider } from "../step";
import { BootstrapError, BootstrapWatch } from "./bootstrap-report";
import { LostData, LostDataWatch, startAnew, type Rebirth } from "./rebirth";
import { onSilentNodes, startStopped } from "./stopping";
import { askAnyInstance, follows, leads, listMembers, type ClusterLocation, type Member } from "./api";
import type { DynamicConfig } from "./dynamic-config";
import { lastWords } from "./last-words";
import { setOwnersPassword, type DatabaseOwner } from "./owner";
import { restartable, restartPending } from "./pending-restarts";
import { rollInstances } from "./roll";

export interface PatroniStateInputs extends ClusterLocation {
    dynamicConfig: DynamicConfig;
    /** Servers through which the cluster can be asked. */
    servers: MachineAccess[];
    /** Changes when the pods' template does. */
    template: string;
    /** Of the application's database, with the password that the outputs tell. */
    owner: DatabaseOwner;
    /** The entries; restarted here when their template changes. */
    proxies: ProxySet;
    /** Identities of the machines: after one was replaced the cluster has to become whole again. */
    machines: string[];
    /** How it begins anew from the repository; undefined in a stack without backups. */
    rebirth?: Rebirth;
}

export interface PatroniStateOutputs extends PatroniStateInputs {
    status: ClusterStatus;
    /** Highest restore generation that was begun; a request that is taken back and made again is not a new one. */
    restored?: number;
}

/** What was seen when the stack was last updated or refreshed. */
export interface ClusterStatus {
    /** A primary holds the leader lock and is out of recovery. */
    serving: boolean;
    /** Every member streams or leads, and one replica is the synchronous standby. */
    redundant: boolean;
    members: number;
    healthyMembers: number;
}

/**
 * What a running cluster needs that no object of Kubernetes does by itself, in this order: proxies of an earlier template are
 * replaced, instances that a restore stopped begin anew, Patroni's dynamic configuration is written and read back (it reads
 * its bootstrap section only once, and what it holds may differ from what was asked), instances of an earlier template are
 * replaced, and restarted where a parameter waits for it, the owner gets its password. Ends when the cluster is whole.
 */
export const provider: StepProvider<PatroniStateInputs, PatroniStateOutputs> = {
    async create(inputs) {
        // The bootstrap itself reads the request.
        const restored = inputs.rebirth?.generation;
        return { id: inputs.cluster, outs: { ...inputs, status: await bringUp(inputs), restored } };
    },
    async read(_id, state) {
        const server = await readyServer(state.servers);
        const members = server ? await withSsh(server, (ssh) => listMembers(ssh, state)).catch(() => []) : [];
        return { ...state, status: summarise(members, state.instances.length) };
    },
    async diff(_id, olds, news) {
        // Through whom it is asked is no change to it.
        const diff = inputDiff(olds, { ...news, servers: olds.servers }, ["cluster", "namespace"]);
        const wasWhole = olds.status.serving && olds.status.redundant;
        if (diff.changed || !wasWhole) return { ...diff, changed: true };
        // By the keys of today: with those of then nobody may be let in any more, and nothing would ever be found.
        const { servers } = JSON.stringify(news.servers).includes(unknownInput) ? olds : news;
        const drift = await findDrift({ ...olds, servers });
        if (drift.length > 0) console.log(`${olds.cluster}: changed by hand or not applied yet: ${drift.join(", ")}`);
        return { ...diff, changed: drift.length > 0 };
    },
    async update(_id, olds, news) {
        refuseOtherOwner(olds, news);
        const asked = news.rebirth?.generation ?? 0;
        const restored = Math.max(asked, olds.restored ?? 0);
        const removed = removedKeys(olds.dynamicConfig, news.dynamicConfig);
        return { ...news, status: await bringUp(news, removed, asked > (olds.restored ?? 0)), restored };
    },
};

/** States of before there was an owner in them say nothing. */
function refuseOtherOwner(olds: Partial<PatroniStateInputs>, { owner }: PatroniStateInputs): void {
    if (olds.owner !== undefined && olds.owner.name !== owner.name) {
        throw new Error(
            `database.owner: the role ${olds.owner.name} was made with the database, and an update renames none. Name it again; for ` +
                `another one \`create role ${owner.name} login password …\` in the database. Nothing was restarted`,
        );
    }
}

/** What the running cluster is otherwise than asked for; nothing for one that cannot be asked now. */
async function findDrift(state: PatroniStateInputs): Promise<string[]> {
    const server = await readyServer(state.servers);
    if (!server) return [];
    return withSsh(server, async (ssh) => {
        const members = await listMembers(ssh, state).catch(() => []);
        if (members.length === 0) return ["no instance answers"];
        // Where a repository can bring it back, the loss of all data must show as a change.
        if (state.rebirth !== undefined && !members.some(({ role }) => role === "leader")) return ["no leader"];
        const held = await askAnyInstance<DynamicConfig>(ssh, state, "GET", "/config");
        const added = Object.keys(addedParameters(state.dynamicConfig, held));
        const proxies = await outdatedProxies(ssh, state.cluster, state.proxies);
        return [
            ...proxies.map(({ spec }) => `the proxy on ${spec.nodeName} is of an earlier template`),
            ...differences(state.dynamicConfig, held),
            ...added.map((name) => `postgresql.parameters.${name}`),
            ...members.filter((member) => member.pending_restart).map(({ name }) => `${name} waits for a restart`),
        ];
    }).catch(() => []);
}

async function bringUp(
    inputs: PatroniStateInputs,
    removed: DynamicConfig = {},
    restore = false,
): Promise<ClusterStatus> {
    const server = await waitForServer(inputs.servers);
    return withSsh(server, async (ssh) => {
        const { rebirth } = inputs;
        const bootstrap = rebirth && new BootstrapWatch(ssh, inputs);
        const whole = () => untilWhole(ssh, inputs, bootstrap);
        // First: they are the way to whatever serves, also while the database waits for a machine that is off. A proxy that does
        // not come up must not keep the database from being mended, or from being started again.
        const withoutProxy = await rollProxies(ssh, inputs.cluster, inputs.proxies).then(
            () => undefined,
            (error: unknown) => error as Error,
        );
        if (withoutProxy) console.log(`${inputs.cluster}: ${withoutProxy.message}; the database goes first`);
        if (rebirth && restore) {
            await startAnew(ssh, inputs, rebirth);
        } else if (rebirth) {
            await startStopped(ssh, inputs);
        }
        await bootstrap?.begin();
        // Before anything is waited for: it may mend what keeps the cluster from being whole. A cluster that does not
        // answer yet gets it below.
        const left = await applyDynamicConfig(ssh, inputs, removed).then(
            () => ({}),
            () => removed,
        );
        await rollInstances(ssh, inputs, whole);
        const status = await step(
            inputs.cluster,
            "waiting for a primary, its replicas and a synchronous standby",
            whole,
        );
        await applyDynamicConfig(ssh, inputs, left);
        const restarts = await restartPending(restartable(ssh, inputs, whole));
        const seen = restarts.length > 0 ? await whole() : status;
        if (withoutProxy) throw withoutProxy;
        // The last that can fail here: where an update ends before it, database and outputs both have the one of before.
        await setOwnersPassword(ssh, inputs, inputs.owner);
        return seen;
    });
}

/**
 * For giving up, not for speed: with two thirds of the processors taken away a new cluster needs two minutes, and one
 * that is starved even more has failovers on the way.
 */
const givingUpSeconds = 1200;

/** Longer than a machine takes to start again. */
const bootSeconds = 180;
const lookEveryMs = 15_000;

/** There is nobody to wait for while a machine is off: that only a person, or its provider, ends. */
class MachineOff extends Error {}

/** Ends the wait where an instance's node has been silent for longer than a start takes. */
class MachineWatch {
    private since: number | undefined;
    private due = 0;

    constructor(
        private readonly ssh: SshConnection,
        private readonly inputs: PatroniStateInputs,
    ) {}

    async look(): Promise<void> {
        if (Date.now() < this.due) return;
        this.due = Date.now() + lookEveryMs;
        const stuck = await onSilentNodes(this.ssh, this.inputs).catch(() => []);
        this.since = stuck.length === 0 ? undefined : (this.since ?? Date.now());
        if (this.since !== undefined && Date.now() - this.since > bootSeconds * 1000) {
            throw new MachineOff(
                `${this.inputs.cluster} serves, but is not redundant: ${stuck.join(", ")}, which is not Ready. Switch the machine ` +
                    "on, or take it out of the settings, and run the update again. What the proxies and the settings of those that " +
                    "run needed is applied; nothing was restarted that is well, and no password changed",
            );
        }
    }
}

/** As long as a restore goes on it is waited for; what the members are is told whenever it changes. */
async function untilWhole(
    ssh: SshConnection,
    inputs: PatroniStateInputs,
    bootstrap: BootstrapWatch | undefined,
): Promise<ClusterStatus> {
    let restoring: string | undefined;
    const [sayMembers, sayRestore] = [onChange(inputs.cluster), onChange(inputs.cluster)];
    const machinesOff = new MachineWatch(ssh, inputs);
    const lostData = inputs.rebirth && new LostDataWatch(ssh, inputs, inputs.rebirth);
    const look = async (): Promise<{ done: ClusterStatus } | { waiting: string }> => {
        const members = await listMembers(ssh, inputs).catch((error: unknown) => (error as Error).message);
        const found = typeof members === "string" ? undefined : summarise(members, inputs.instances.length);
        if (found?.serving && found.redundant) {
            return { done: found };
        }
        sayMembers(typeof members === "string" ? members : describe(members));
        if (found?.serving === true) await machinesOff.look();
        if (bootstrap && !found?.serving) {
            await lostData?.look();
            restoring = await bootstrap.look();
            sayRestore(restoring);
        }
        return { waiting: typeof members === "string" ? members : JSON.stringify(members) };
    };
    for (;;) {
        try {
            return await waitFor(`cluster ${inputs.cluster}`, givingUpSeconds, look);
        } catch (error) {
            if ([BootstrapError, LostData, MachineOff].some((known) => error instanceof known)) throw error;
            if (restoring === undefined) {
                throw new Error(`${(error as Error).message}\n${await lastWords(ssh, inputs)}`, { cause: error });
            }
            // Copies of what was restored may take as long again; not for ever.
            restoring = undefined;
        }
    }
}

const describe = (members: Member[]): string =>
    members.map(({ name, role, state }) => `${name} ${role} ${state}`).join(", ") || "no instance has joined";

export function summarise(members: Member[], expected: number): ClusterStatus {
    const leaders = members.filter(leads);
    const replicas = members.filter(follows);
    const healthyMembers = leaders.length + replicas.length;
    return {
        serving: leaders.length === 1,
        redundant: healthyMembers === expected && replicas.some(({ role }) => role === "sync_standby"),
        members: expected,
        healthyMembers,
    };
}

async function applyDynamicConfig(
    ssh: SshConnection,
    inputs: PatroniStateInputs,
    removed: DynamicConfig,
): Promise<void> {
    const { dynamicConfig, cluster } = inputs;
    const held = await askAnyInstance<DynamicConfig>(ssh, inputs, "GET", "/config");
    const added = addedParameters(dynamicConfig, held);
    const isSame = differences(dynamicConfig, held).length === 0;
    if (isSame && [added, removed].every((keys) => Object.keys(keys).length === 0)) {
        return;
    }
    await step(cluster, "applying the dynamic configuration", async () => {
        const nulls = merge({ postgresql: { parameters: added } }, removed);
        await askAnyInstance(ssh, inputs, "PATCH", "/config", merge(dynamicConfig, nulls));
        const left = differences(dynamicConfig, await askAnyInstance<DynamicConfig>(ssh, inputs, "GET", "/config"));
        if (left.length > 0) {
            throw new Error(`Patroni keeps other values than those asked for: ${left.join(", ")}`);
        }
        // Each member takes it up in its next loop, and only then says what waits for a restart.
        await new Promise((resolve) => setTimeout(resolve, takeUpMs));
    });
}

/** Several loops of Patroni (`loop_wait` 1 s), as a busy machine may be late with one. */
const takeUpMs = 5000;

/** What was asked for before and is no more, as nulls: Patroni's PATCH merges and removes only what is null. */
export function removedKeys(olds: DynamicConfig, news: DynamicConfig): DynamicConfig {
    return Object.fromEntries(
        Object.entries(olds).flatMap(([key, value]): [string, unknown][] => {
            if (!(key in news)) {
                return [[key, null]];
            }
            if (!isObject(value) || !isObject(news[key])) {
                return [];
            }
            const below = removedKeys(value, news[key]);
            return Object.keys(below).length === 0 ? [] : [[key, below]];
        }),
    );
}

/** PostgreSQL's parameters that nobody asked for, as nulls. Other keys, such as `pause`, are an operator's to set. */
export function addedParameters(wanted: DynamicConfig, held: DynamicConfig): DynamicConfig {
    const parameters = (config: DynamicConfig): DynamicConfig => {
        const { postgresql } = config;
        const found = isObject(postgresql) ? postgresql["parameters"] : undefined;
        return isObject(found) ? found : {};
    };
    const asked = parameters(wanted);
    const added = Object.keys(parameters(held)).filter((name) => !(name in asked));
    return Object.fromEntries(added.map((name) => [name, null]));
}

const isObject = (value: unknown): value is DynamicConfig => typeof value === "object" && value !== null;

const merge = (base: DynamicConfig, over: DynamicConfig): DynamicConfig =>
    Object.entries(over).reduce(
        (merged, [key, value]) => ({
            ...merged,
            [key]: isObject(value) && isObject(merged[key]) ? merge(merged[key], value) : value,
        }),
        base,
    );

/** Paths at which what is held differs from what is wanted; keys nobody asked for do not count. */
export function differences(wanted: unknown, held: unknown, path = ""): string[] {
    if (typeof wanted !== "object" || wanted === null) {
        return isDeepStrictEqual(wanted, held) ? [] : [path];
    }
    return Object.entries(wanted).flatMap(([key, value]) =>
        differences(value, (held as Record<string, unknown> | undefined)?.[key], path === "" ? key : `${path}.${key}`),
    );
}
