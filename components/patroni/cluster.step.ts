import { outdatedProxies, rollProxies, type ProxySet } from "../haproxy/roll";
import { readyServer, waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh } from "../machines/ssh";
import { step } from "../progress";
import { inputDiff, unknownInput, type StepProvider } from "../step";
import { askAnyInstance, listMembers, type ClusterLocation } from "./api";
import { addedParameters, applyDynamicConfig, differences, removedKeys } from "./apply-dynamic-config";
import { BootstrapWatch } from "./bootstrap-report";
import { synchronousStandbys, type DynamicConfig } from "./dynamic-config";
import { refuseOtherOwner, setOwnersPassword, type DatabaseOwner } from "./owner";
import { restartable, restartPending } from "./pending-restarts";
import { startAnew, type Rebirth } from "./rebirth";
import { rollInstances } from "./roll";
import { startStopped } from "./stopping";
import { summarise, untilWhole, type ClusterStatus } from "./until-whole";

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
        return {
            ...state,
            status: summarise(members, state.instances.length, synchronousStandbys(state.dynamicConfig)),
        };
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
        refuseOtherOwner((olds as Partial<PatroniStateInputs>).owner, news.owner);
        const asked = news.rebirth?.generation ?? 0;
        const restored = Math.max(asked, olds.restored ?? 0);
        const removed = removedKeys(olds.dynamicConfig, news.dynamicConfig);
        return { ...news, status: await bringUp(news, removed, asked > (olds.restored ?? 0)), restored };
    },
};

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
        let applied = false;
        const apply = async (): Promise<void> => {
            await applyDynamicConfig(ssh, inputs, inputs.dynamicConfig, applied ? {} : removed);
            applied = true;
        };
        // Until then Patroni names as many standbys as it was told before.
        const whole = () => untilWhole(ssh, applied ? inputs : { ...inputs, dynamicConfig: {} }, rebirth, bootstrap);
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
        await apply().catch(() => undefined);
        const wasApplied = applied;
        await rollInstances(ssh, inputs, whole);
        const status = await step(
            inputs.cluster,
            "waiting for a primary, its replicas and a synchronous standby",
            whole,
        );
        await apply();
        const restarts = await restartPending(restartable(ssh, inputs, whole));
        const seen = restarts.length > 0 || !wasApplied ? await whole() : status;
        if (withoutProxy) throw withoutProxy;
        // The last that can fail here: where an update ends before it, database and outputs both have the one of before.
        await setOwnersPassword(ssh, inputs, inputs.owner);
        return seen;
    });
}
