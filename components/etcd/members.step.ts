import { waitForServer } from "../k3s/cluster-access";
import type { MachineAccess } from "../machines/machine";
import { withSsh, type SshConnection } from "../machines/ssh";
import { onChange, step, waitFor } from "../progress";
import { rollOutdated } from "../roll";
import { inputDiff, type StepProvider } from "../step";
import { etcdctl, type EtcdLocation } from "./etcdctl";

export interface EtcdMembersInputs extends EtcdLocation {
    /** Name of the database cluster. */
    cluster: string;
    /** Name of the StatefulSet. */
    set: string;
    /** `address:port` of every member. */
    hosts: string[];
    /** Servers through which the members can be asked. */
    servers: MachineAccess[];
    /** Changes when the pods' template does. */
    template: string;
}

/** Two that are not ready may both be voting: the first is given this time before the second is restarted. */
const patience = 60;

/** For giving up: members wait for each other, and an empty one fetches everything. */
const givingUpSeconds = 600;

/**
 * The running members. A changed template restarts them one by one, each when all are well: a rolling update of Kubernetes
 * begins with the last one although another is missing, which takes the majority away.
 */
export const provider: StepProvider<EtcdMembersInputs> = {
    async create(inputs) {
        await bringUp(inputs);
        return { id: inputs.set, outs: inputs };
    },
    diff: (_id, olds, news) =>
        // The way to them is no reason to look at them: with machines changed they come and go by themselves.
        Promise.resolve(inputDiff(olds, { ...news, servers: olds.servers }, ["cluster", "namespace", "set"])),
    async update(_id, _olds, news) {
        await bringUp(news);
        return news;
    },
};

async function bringUp(inputs: EtcdMembersInputs): Promise<void> {
    const { cluster, namespace, set } = inputs;
    const server = await waitForServer(inputs.servers);
    await withSsh(server, async (ssh) => {
        const whole = () => untilHealthy(ssh, inputs);
        await rollOutdated(ssh, { cluster, namespace, name: set, component: "etcd" }, { whole, patience });
        await step(cluster, "waiting for every etcd member", whole);
    });
}

async function untilHealthy(ssh: SshConnection, inputs: EtcdMembersInputs): Promise<void> {
    const say = onChange(inputs.cluster);
    await waitFor("etcd", givingUpSeconds, async () => {
        const missing = await unhealthy(ssh, inputs).catch((error: unknown) => [(error as Error).message]);
        if (missing.length === 0) return { done: undefined };
        say(`etcd: ${missing.join("; ")}`);
        return { waiting: missing.join("; ") };
    });
}

interface Answer {
    endpoint: string;
    health: boolean;
    error?: string;
}

/** The members that cannot be read from with the consent of a majority, each with the reason. */
export async function unhealthy(ssh: SshConnection, location: EtcdLocation & { hosts: string[] }): Promise<string[]> {
    // It fails when one of them is unhealthy, which is an answer.
    const text = await etcdctl(ssh, location, "endpoint health --write-out json || true", location.hosts);
    const answers = JSON.parse(text) as Answer[];
    // An alarm stands at every member, which can be read from all the same, and what mends it may be this very template.
    const isRead = ({ health, error }: Answer) => health || (error?.startsWith("Active Alarm") ?? false);
    const healthy = answers.filter(isRead).map(({ endpoint }) => endpoint.replace("https://", ""));
    return location.hosts
        .filter((host) => !healthy.includes(host))
        .map((host) => {
            const error = answers.find(({ endpoint }) => endpoint === `https://${host}`)?.error;
            return `${host} ${error ?? "was not asked"}`;
        });
}
