import type { SshConnection } from "../machines/ssh";
import { rollOutdated } from "../roll";
import { askAnyInstance, follows, leads, listMembers, type ClusterLocation } from "./api";

/** Instances of an earlier template: the replicas first, the primary last and after a switchover. */
export async function rollInstances(
    ssh: SshConnection,
    location: ClusterLocation,
    whole: () => Promise<unknown>,
): Promise<void> {
    const { cluster, namespace } = location;
    let leader: string | undefined;
    await rollOutdated(
        ssh,
        { cluster, namespace, name: cluster, component: "postgresql" },
        {
            whole,
            // A sidecar alone may keep a pod from being ready.
            async broken(names) {
                const members = await listMembers(ssh, location).catch(() => []);
                const works = members.filter((member) => leads(member) || follows(member)).map(({ name }) => name);
                return names.filter((name) => !works.includes(name));
            },
            async order(names) {
                leader = (await listMembers(ssh, location)).find(({ role }) => role === "leader")?.name;
                return [...names.filter((name) => name !== leader), ...names.filter((name) => name === leader)];
            },
            async prepare(name) {
                if (name !== leader) return;
                await switchOver(ssh, location, name);
                await whole();
            },
        },
    );
}

/** Patroni answers when it is done: seconds, or half a minute on a host that gets little of its processors. */
const switchoverSeconds = 60;

/** Hands the primary's role to the synchronous standby, which has every acknowledged write. */
export async function switchOver(ssh: SshConnection, location: ClusterLocation, leader: string): Promise<void> {
    const holding = async (role: string) => (await listMembers(ssh, location)).find((member) => member.role === role);
    const candidate = (await holding("sync_standby"))?.name;
    const request = { leader, candidate };
    try {
        await askAnyInstance<string>(ssh, location, "POST", "/switchover", request, switchoverSeconds);
    } catch (error) {
        // The answer was lost or late, and the others refuse what is done already.
        const now = await holding("leader").catch(() => undefined);
        if (now === undefined || now.name === leader) throw error;
    }
}
