import { stringify } from "yaml";

export type NodeRole = "server" | "agent";

export interface K3sConfigInput {
    role: NodeRole;
    name: string;
    address: string;
    privateAddress: string;
    token: string;
    podCidr: string;
    serviceCidr: string;
    /** Interface of the private network, when it is not the one that has `privateAddress`. */
    interface?: string;
}

/**
 * config.yaml of a node, without the way it joins (`cluster-init` or `server`), which is decided on the machine.
 * What must be equal on all servers (CIDRs, disabled parts, encryption) depends on no single node here.
 */
export function renderK3sConfig(input: K3sConfigInput): string {
    const common = {
        token: input.token,
        "node-name": input.name,
        "node-ip": input.privateAddress,
        // No node-external-ip: k3s would advertise it as the API's address, and nothing here asks a node for it.
        ...(input.interface === undefined ? {} : { "flannel-iface": input.interface }),
    };
    const server = {
        "tls-san": [...new Set([input.address, input.privateAddress])],
        "cluster-cidr": input.podCidr,
        "service-cidr": input.serviceCidr,
        // The stack brings its own entry (HAProxy) and needs no load balancer or metrics pipeline.
        disable: ["traefik", "servicelb", "metrics-server"],
        "write-kubeconfig-mode": "0600",
        // A lost node is seen after 16 s (default 50 s). The database never waits for it; its proxies and jobs do.
        "kube-controller-manager-arg": ["node-monitor-period=2s", "node-monitor-grace-period=16s"],
        "kube-apiserver-arg": ["default-not-ready-toleration-seconds=10", "default-unreachable-toleration-seconds=10"],
    };
    return stringify(input.role === "server" ? { ...common, ...server } : common);
}

/** Kubelet drop-in (kubelet.conf.d). */
export function renderKubeletConfig(): string {
    return stringify({
        apiVersion: "kubelet.config.k8s.io/v1beta1",
        kind: "KubeletConfiguration",
        // Hosts of the dev stack may still run cgroup v1, which kubelet 1.35 refuses by default.
        failCgroupV1: false,
        // Goes with the 16 s grace period above: four reports in it.
        nodeStatusUpdateFrequency: "4s",
        nodeLeaseDurationSeconds: 16,
        // A query that takes all memory costs its backend and a restart of PostgreSQL, as on a machine of its own, not the
        // container with Patroni in it (cgroup v2; with v1 it is so anyway).
        singleProcessOOMKill: true,
        // A container that ends for the second time in ten minutes would wait 10 s, and up to 5 min, while commits may
        // wait for it.
        crashLoopBackOff: { maxContainerRestartPeriod: "1s" },
        // Images arrive by import, not from a registry: collected ones would not come back.
        imageGCHighThresholdPercent: 100,
        imageGCLowThresholdPercent: 99,
        // A full disk must stop PostgreSQL's own way (its guard and alert), never by eviction of its pod.
        evictionHard: {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
    });
}

/** systemd unit, as k3s' own install script writes it. */
export function renderUnit(role: NodeRole): string {
    return `[Unit]
Description=Lightweight Kubernetes (${role})
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
# k3s renews its own certificates, valid for a year, only when it starts in their last 90 days. Pods run on meanwhile.
RuntimeMaxSec=45d
RuntimeRandomizedExtraSec=15d
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s ${role}
`;
}
