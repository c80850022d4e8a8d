import { probeBackup, type BackupProbe } from "./backup";
import { probeEtcd, type EtcdStatus } from "./etcd";
import { probeProxies, type ProxyStatus } from "./haproxy";
import { Kubernetes, type NodeStatus } from "./kubernetes";
import { probeMachines, type MachineStatus } from "./machines";
import { probeInstances, probePatroni, type InstanceStatus, type PatroniSettings } from "./patroni";
import { probeReads, probeWrites, type ReadProbe, type WriteProbe } from "./serving";
import type { StackState } from "./stack-state";
import type { Tunnel } from "./tunnel";

/** What was seen of every layer in the same few seconds. */
export interface Observation {
    machines: MachineStatus[];
    /** Undefined when no API server answers. */
    nodes: NodeStatus[] | undefined;
    etcd: EtcdStatus;
    instances: InstanceStatus[];
    /** Undefined when no instance tells. */
    patroni: PatroniSettings | undefined;
    proxies: ProxyStatus[];
    writes: WriteProbe[];
    reads: ReadProbe[];
    /** Undefined in a stack without backups. */
    backup?: BackupProbe;
}

/** Looks at everything side by side; each probe has a limit of its own, so that a lost machine costs seconds. */
export async function observe(state: StackState, tunnel: Tunnel): Promise<Observation> {
    const [machines, nodes, etcd, instances, patroni, proxies, writes, reads, backup] = await Promise.all([
        probeMachines(state, tunnel),
        new Kubernetes(state).nodes().catch(() => undefined),
        probeEtcd(state, tunnel),
        probeInstances(state, tunnel),
        probePatroni(state, tunnel),
        probeProxies(state),
        probeWrites(state),
        probeReads(state),
        probeBackup(state, tunnel),
    ]);
    return { machines, nodes, etcd, instances, patroni, proxies, writes, reads, ...(backup && { backup }) };
}
