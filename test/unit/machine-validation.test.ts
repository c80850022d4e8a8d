import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import type { PostgresHAArgs } from "../../components/postgres-ha-args";
import { complaints, existingMachines, hostKey } from "./validation";

const docker = (subnet: string, ...machines: [string, string][]): PostgresHAArgs["machines"] => ({
    provider: "docker",
    subnet,
    machines: machines.map(([name, address]) => ({ name, address })),
});

const three: [string, string][] = [
    ["a", "172.30.0.11"],
    ["b", "172.30.0.12"],
    ["c", "172.30.0.13"],
];

describe("machines", () => {
    it("with the name or address of another are refused, naming both", () => {
        const [a, b] = three as [[string, string], [string, string]];
        assert.deepEqual(complaints({ machines: docker("172.30.0.0/24", a, b, ["a", "172.30.0.12"]) }), [
            'machines.machines[2].name: "a" is also that of machines[0]; every machine needs its own',
            'machines.machines[2].address: "172.30.0.12" is also that of machines[1]; every machine needs its own',
        ]);
    });

    it("with a name that Kubernetes would refuse are refused", () => {
        const machines = docker("172.30.0.0/24", ...three, ["Machine_4", "172.30.0.14"]);
        assert.deepEqual(complaints({ machines }), [
            'machines.machines[3].name: "Machine_4" is no name: use lower-case letters, digits and hyphens',
        ]);
    });
});

describe("docker machines", () => {
    it("need a subnet that is a block of at least 8 addresses", () => {
        for (const subnet of ["172.30.0.0", "172.30.0.1/24", "172.30.0.8/30", "nonsense", ""]) {
            assert.deepEqual(complaints({ machines: docker(subnet, ...three) }), [
                `machines.subnet: "${subnet}" is no IPv4 block of at least 8 addresses; use one such as 10.210.0.0/24`,
            ]);
        }
    });

    it("need an address inside it that is neither its first or last nor the bridge's own", () => {
        for (const address of ["172.30.0.0", "172.30.0.1", "172.30.0.255", "172.30.1.11", "machine", ""]) {
            assert.deepEqual(complaints({ machines: docker("172.30.0.0/24", ...three, ["d", address]) }), [
                `machines.machines[3].address: "${address}" is no address for a machine in 172.30.0.0/24`,
            ]);
        }
        assert.deepEqual(complaints({ machines: docker("172.30.0.0/24", ...three, ["d", "172.30.0.2"]) }), []);
    });

    it("need addresses that pods and Services do not have", () => {
        const list: [string, string][] = [1, 2, 3].map((number) => [`m-${number}`, `10.43.7.${number + 10}`]);
        assert.deepEqual(complaints({ machines: docker("10.43.7.0/24", ...list) }), [
            "machines.subnet: overlaps the addresses of pods or Services; choose another",
        ]);
    });
});

describe("existing machines", () => {
    it("are accepted with a host key of each common type", () => {
        const body = hostKey.split(" ")[1] ?? "";
        for (const type of ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]) {
            const machines = [1, 2, 3].map((number) => ({
                name: `db-${number}`,
                address: `192.0.2.1${number}`,
                hostKey: `${type} ${body} comment`,
            }));
            assert.deepEqual(complaints({ machines: existingMachines({ machines }) }), []);
        }
    });

    const at = (first: { address: string; privateAddress?: string }, kubernetes?: PostgresHAArgs["kubernetes"]) =>
        complaints({
            kubernetes,
            machines: existingMachines({
                machines: [first, { address: "192.0.2.12" }, { address: "192.0.2.13" }].map((host, index) => ({
                    ...{ name: `db-${index + 1}`, hostKey },
                    ...host,
                })),
            }),
        });

    it("at an address of pods or Services are refused, with the setting to change", () => {
        assert.deepEqual(at({ address: "10.42.0.11" }), [
            "machines.machines[0].address: 10.42.0.11 lies inside kubernetes.podCidr 10.42.0.0/16; set kubernetes.podCidr to a block that no host is in",
        ]);
        assert.deepEqual(at({ address: "db.example", privateAddress: "10.43.255.255" }), [
            "machines.machines[0].privateAddress: 10.43.255.255 lies inside kubernetes.serviceCidr 10.43.0.0/16; set kubernetes.serviceCidr to a block that no host is in",
        ]);
        assert.deepEqual(at({ address: "10.44.0.1", privateAddress: "10.41.255.255" }), []);
        assert.deepEqual(at({ address: "10.42.0.11" }, { podCidr: "10.64.0.0/16" }), []);
    });

    it("with IPv6 addresses are refused, and told that only IPv4 is spoken", () => {
        for (const address of ["2001:db8::1", "[2001:db8::1]", "::ffff:192.0.2.1"]) {
            const refusal = `"${address}" is an IPv6 address, and this stack speaks IPv4 only; give the host's IPv4 address, or a name that has one`;
            assert.deepEqual(at({ address }), [`machines.machines[0].address: ${refusal}`]);
            assert.deepEqual(at({ address: "192.0.2.11", privateAddress: address }), [
                `machines.machines[0].privateAddress: ${refusal}`,
            ]);
        }
    });

    it("without a host key are refused, with the command that finds it", () => {
        for (const key of ["", "192.0.2.14 ssh-ed25519 AAAA", "ssh-ed25519", "ssh-ed25519 AAAA", "SHA256:abc"]) {
            const machines = [1, 2, 3, 4].map((number) => ({
                name: `db-${number}`,
                address: `192.0.2.1${number}`,
                hostKey: number === 4 ? key : hostKey,
            }));
            assert.deepEqual(complaints({ machines: existingMachines({ machines }) }), [
                "machines.machines[3].hostKey: is no public host key; take it from `ssh-keyscan -t ed25519 192.0.2.14`",
            ]);
        }
    });

    it("without a private key are refused, with the command that sets it", () => {
        for (const privateKey of ["", "ssh-ed25519 AAAA", "~/.ssh/id_ed25519"]) {
            assert.deepEqual(complaints({ machines: existingMachines({ privateKey }) }), [
                "machines.privateKey: is missing or no private key; set it with `pulumi config set --secret sshPrivateKey < ~/.ssh/id_ed25519`",
            ]);
        }
    });

    it("are accepted with a private key that is a secret: it is looked at only where it is used", () => {
        assert.deepEqual(complaints({ machines: existingMachines({ privateKey: pulumi.secret("") }) }), []);
    });
});

describe("addresses of pods and Services", () => {
    const kubernetes = (change: PostgresHAArgs["kubernetes"]) => complaints({ kubernetes: change });

    it("need blocks of /16 or larger", () => {
        assert.deepEqual(kubernetes({ podCidr: "10.42.0.0/17" }), [
            'kubernetes.podCidr: "10.42.0.0/17" is no IPv4 block of /16 or larger',
        ]);
        assert.deepEqual(kubernetes({ serviceCidr: "10.43.0.0" }), [
            'kubernetes.serviceCidr: "10.43.0.0" is no IPv4 block of /16 or larger',
        ]);
        assert.deepEqual(kubernetes({ podCidr: "10.64.0.0/12", serviceCidr: "10.96.0.0/12" }), []);
    });

    it("need blocks apart from each other", () => {
        assert.deepEqual(kubernetes({ podCidr: "10.40.0.0/13" }), [
            "kubernetes.podCidr: 10.40.0.0/13 overlaps serviceCidr 10.43.0.0/16; give them separate blocks",
        ]);
    });
});

describe("clients that are allowed", () => {
    it("are blocks of addresses", () => {
        const allowedClients = ["10.20.0.0/16", "10.20.0.7", "10.20.0.1/16", "10.20.0.7/32"];
        const example = "write it as 10.20.0.0/16, one address as 10.20.0.7/32";
        assert.deepEqual(complaints({ haproxy: { allowedClients } }), [
            `haproxy.allowedClients[1]: "10.20.0.7" is no IPv4 block; ${example}`,
            `haproxy.allowedClients[2]: "10.20.0.1/16" is no IPv4 block; ${example}`,
        ]);
        assert.deepEqual(complaints({ haproxy: { allowedClients: [] } }), []);
    });
});

describe("sizes of volumes and memory", () => {
    it("are refused when they are none, with an example", () => {
        assert.deepEqual(complaints({ etcd: { storage: "2GB" } }), ['etcd.storage: "2GB" is no size; write it as 1Gi']);
        assert.deepEqual(complaints({ postgres: { storage: "lots" } }), [
            'postgres.storage: "lots" is no size; write it as 2Gi',
        ]);
        assert.deepEqual(complaints({ postgres: { sharedBuffers: "256Mi" } }), [
            'postgres.sharedBuffers: "256Mi" is no size; write it as 16MB',
        ]);
        assert.deepEqual(complaints({ haproxy: { maximumReplicaLag: "16" } }), [
            'haproxy.maximumReplicaLag: "16" is no size; write it as 1MB',
        ]);
    });

    it("are refused when they are too small, with the least", () => {
        assert.deepEqual(complaints({ etcd: { storage: "512Mi" } }), [
            'etcd.storage: "512Mi" is too small; 1Gi is the least',
        ]);
        assert.deepEqual(complaints({ postgres: { storage: "1Gi" } }), [
            'postgres.storage: "1Gi" is too small; 2Gi is the least',
        ]);
        assert.deepEqual(complaints({ etcd: { resources: { cpu: "100m", memory: "64Mi" } } }), [
            'etcd.resources.memory: "64Mi" is too small; 128Mi is the least',
        ]);
        assert.deepEqual(complaints({ postgres: { sharedBuffers: "8MB" } }), [
            'postgres.sharedBuffers: "8MB" is too small; 16MB is the least',
        ]);
        assert.deepEqual(complaints({ haproxy: { maximumReplicaLag: "512kB" } }), [
            'haproxy.maximumReplicaLag: "512kB" is too small; 1MB is the least',
        ]);
    });

    it("of an instance leave more than half of its memory to everything but shared buffers", () => {
        const postgres = { sharedBuffers: "1GB", resources: { cpu: "1", memory: "1536Mi" } };
        assert.deepEqual(complaints({ postgres }), [
            "postgres.sharedBuffers: 1GB is more than half of the instance's memory (1536Mi); lower it or raise postgres.resources.memory",
        ]);
        assert.deepEqual(complaints({ postgres: { ...postgres, sharedBuffers: "768MB" } }), []);
    });

    it("of an instance's memory are at least 512Mi", () => {
        const postgres = { sharedBuffers: "16MB", resources: { cpu: "1", memory: "256Mi" } };
        assert.deepEqual(complaints({ postgres }), [
            'postgres.resources.memory: "256Mi" is too small; 512Mi is the least',
        ]);
    });
});
