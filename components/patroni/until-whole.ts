import type { SshConnection } from "../machines/ssh";
import { onChange, waitFor } from "../progress";
import { follows, leads, listMembers, type ClusterLocation, type Member } from "./api";
import { BootstrapError, type BootstrapWatch } from "./bootstrap-report";
import { synchronousStandbys, type DynamicConfig } from "./dynamic-config";
import { lastWords } from "./last-words";
import { LostData, LostDataWatch, type Rebirth } from "./rebirth";
import { onSilentNodes } from "./stopping";

/** What was seen when the stack was last updated or refreshed. */
export interface ClusterStatus {
    /** A primary holds the leader lock and is out of recovery. */
    serving: boolean;
    /** Every member streams or leads, and as many replicas are synchronous standbys as were asked for. */
    redundant: boolean;
    members: number;
    healthyMembers: number;
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
        private readonly location: ClusterLocation,
    ) {}

    async look(): Promise<void> {
        if (Date.now() < this.due) return;
        this.due = Date.now() + lookEveryMs;
        const stuck = await onSilentNodes(this.ssh, this.location).catch(() => []);
        this.since = stuck.length === 0 ? undefined : (this.since ?? Date.now());
        if (this.since !== undefined && Date.now() - this.since > bootSeconds * 1000) {
            throw new MachineOff(
                `${this.location.cluster} serves, but is not redundant: ${stuck.join(", ")}, which is not Ready. Switch the machine ` +
                    "on, or take it out of the settings, and run the update again. What the proxies and the settings of those that " +
                    "run needed is applied; nothing was restarted that is well, and no password changed",
            );
        }
    }
}

/** As long as a restore goes on it is waited for; what the members are is told whenever it changes. */
export async function untilWhole(
    ssh: SshConnection,
    location: ClusterLocation & { dynamicConfig: DynamicConfig },
    rebirth: Rebirth | undefined,
    bootstrap: BootstrapWatch | undefined,
): Promise<ClusterStatus> {
    let restoring: string | undefined;
    const [sayMembers, sayRestore] = [onChange(location.cluster), onChange(location.cluster)];
    const machinesOff = new MachineWatch(ssh, location);
    const lostData = rebirth && new LostDataWatch(ssh, location, rebirth);
    const look = async (): Promise<{ done: ClusterStatus } | { waiting: string }> => {
        const members = await listMembers(ssh, location).catch((error: unknown) => (error as Error).message);
        const found =
            typeof members === "string"
                ? undefined
                : summarise(members, location.instances.length, synchronousStandbys(location.dynamicConfig));
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
            return await waitFor(`cluster ${location.cluster}`, givingUpSeconds, look);
        } catch (error) {
            if ([BootstrapError, LostData, MachineOff].some((known) => error instanceof known)) throw error;
            if (restoring === undefined) {
                throw new Error(`${(error as Error).message}\n${await lastWords(ssh, location)}`, { cause: error });
            }
            // Copies of what was restored may take as long again; not for ever.
            restoring = undefined;
        }
    }
}

const describe = (members: Member[]): string =>
    members.map(({ name, role, state }) => `${name} ${role} ${state}`).join(", ") || "no instance has joined";

/** `standbys`: that commits wait for. */
export function summarise(members: Member[], expected: number, standbys = 1): ClusterStatus {
    const leaders = members.filter(leads);
    const replicas = members.filter(follows);
    const synchronous = replicas.filter(({ role }) => role === "sync_standby");
    const healthyMembers = leaders.length + replicas.length;
    return {
        serving: leaders.length === 1,
        redundant: healthyMembers === expected && synchronous.length >= standbys,
        members: expected,
        healthyMembers,
    };
}
