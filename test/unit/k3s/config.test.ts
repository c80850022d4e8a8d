import assert from "node:assert/strict";
import { parse } from "yaml";
import { renderK3sConfig, renderKubeletConfig, renderUnit, type K3sConfigInput } from "../../../components/k3s/config";
import { renderKubeconfig } from "../../../components/k3s/kubeconfig";

const input: K3sConfigInput = {
    role: "server",
    name: "machine-1",
    address: "198.51.100.11",
    privateAddress: "192.0.2.11",
    token: "token",
    podCidr: "10.42.0.0/16",
    serviceCidr: "10.43.0.0/16",
};

const rendered = (change: Partial<K3sConfigInput> = {}): Record<string, unknown> =>
    parse(renderK3sConfig({ ...input, ...change })) as Record<string, unknown>;

describe("k3s config.yaml", () => {
    it("of a server is exactly this", () => {
        assert.deepEqual(rendered(), {
            token: "token",
            "node-name": "machine-1",
            "node-ip": "192.0.2.11",
            "tls-san": ["198.51.100.11", "192.0.2.11"],
            "cluster-cidr": "10.42.0.0/16",
            "service-cidr": "10.43.0.0/16",
            disable: ["traefik", "servicelb", "metrics-server"],
            "write-kubeconfig-mode": "0600",
            "kube-controller-manager-arg": ["node-monitor-period=2s", "node-monitor-grace-period=16s"],
            "kube-apiserver-arg": [
                "default-not-ready-toleration-seconds=10",
                "default-unreachable-toleration-seconds=10",
            ],
        });
    });

    it("of an agent has nothing that only servers understand", () => {
        assert.deepEqual(Object.keys(rendered({ role: "agent" })).sort(), ["node-ip", "node-name", "token"]);
    });

    it("names the address once, when there is only one", () => {
        assert.deepEqual(rendered({ address: "192.0.2.11" })["tls-san"], ["192.0.2.11"]);
    });

    it("names no external address, which k3s would advertise as the API's to every node", () => {
        assert.ok(!("node-external-ip" in rendered()));
    });

    it("names the interface only when one is given", () => {
        assert.ok(!("flannel-iface" in rendered()));
        assert.equal(rendered({ interface: "eth1" })["flannel-iface"], "eth1");
    });

    it("leaves the way a node joins to the machine", () => {
        assert.ok(!("cluster-init" in rendered()) && !("server" in rendered()));
    });

    it("keeps what k3s compares between servers equal on all of them", () => {
        const own = ["node-name", "node-ip", "tls-san"];
        const shared = (config: Record<string, unknown>) =>
            Object.entries(config).filter(([key]) => !own.includes(key));
        assert.deepEqual(
            shared(rendered()),
            shared(rendered({ name: "machine-2", address: "198.51.100.12", privateAddress: "192.0.2.12" })),
        );
    });

    it("keeps a token that looks like a number a text", () => {
        assert.equal(rendered({ token: "0123456789" })["token"], "0123456789");
    });

    it("keeps the mode of the kubeconfig a text: as a number it would be another mode", () => {
        assert.match(renderK3sConfig(input), /^write-kubeconfig-mode: "0600"$/m);
    });
});

describe("the kubelet's configuration", () => {
    const kubelet = parse(renderKubeletConfig()) as Record<string, unknown>;

    it("is a KubeletConfiguration that accepts cgroup v1 and never evicts for disk space", () => {
        assert.equal(kubelet["apiVersion"], "kubelet.config.k8s.io/v1beta1");
        assert.equal(kubelet["kind"], "KubeletConfiguration");
        assert.equal(kubelet["failCgroupV1"], false);
        assert.deepEqual(kubelet["evictionHard"], {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        });
    });

    it("reports four times within the grace period the controller manager gives it", () => {
        const grace = Number(/node-monitor-grace-period=(\d+)s/.exec(renderK3sConfig(input))?.[1]);
        assert.equal(parseInt(String(kubelet["nodeStatusUpdateFrequency"])) * 4, grace);
    });

    it("starts a container soon, however often it ended, and ends no container for one process that took all memory", () => {
        assert.deepEqual(kubelet["crashLoopBackOff"], { maxContainerRestartPeriod: "1s" });
        assert.equal(kubelet["singleProcessOOMKill"], true);
    });

    it("keeps imported images: none can be pulled again", () => {
        assert.equal(kubelet["imageGCHighThresholdPercent"], 100);
    });
});

describe("the systemd unit", () => {
    for (const role of ["server", "agent"] as const) {
        it(`runs k3s ${role}, leaves containers running when it stops, and always starts again`, () => {
            const lines = renderUnit(role).split("\n");
            for (const line of [
                `ExecStart=/usr/local/bin/k3s ${role}`,
                "Type=notify",
                "KillMode=process",
                "Restart=always",
            ]) {
                assert.ok(lines.includes(line), line);
            }
            assert.ok(lines.includes("Delegate=yes") && lines.includes("WantedBy=multi-user.target"));
        });
    }
});

describe("the kubeconfig", () => {
    const text = renderKubeconfig({
        name: "postgres-k3s",
        server: "https://192.0.2.11:6443",
        certificateAuthority: "ca",
        clientCertificate: "certificate",
        clientKey: "key",
    });

    it("is exactly this", () => {
        assert.deepEqual(parse(text), {
            apiVersion: "v1",
            kind: "Config",
            clusters: [
                {
                    name: "postgres-k3s",
                    cluster: { server: "https://192.0.2.11:6443", "certificate-authority-data": "Y2E=" },
                },
            ],
            users: [
                {
                    name: "postgres-k3s",
                    user: { "client-certificate-data": "Y2VydGlmaWNhdGU=", "client-key-data": "a2V5" },
                },
            ],
            contexts: [{ name: "postgres-k3s", context: { cluster: "postgres-k3s", user: "postgres-k3s" } }],
            "current-context": "postgres-k3s",
        });
    });
});
