import assert from "node:assert/strict";
import type { Recorded } from "./mocks";
import { devStack, find, kind } from "./stack";

/** The whole dev stack: kind, name and parent of every resource, in alphabetical order. */
const expected = `
BackupRunner postgres-backup < postgres
BackupState postgres-backup-state < postgres
Certificate postgres-etcd-member < postgres-etcd
Certificate postgres-k3s-admin < postgres-k3s
Certificate postgres-patroni-api < postgres-patroni
Certificate postgres-patroni-etcd-client < postgres-patroni
Certificate postgres-patroni-server < postgres-patroni
Certificate postgres-pgbackrest-runner < postgres-pgbackrest
Certificate postgres-pgbackrest-server < postgres-pgbackrest
Certificate postgres-store-certificate < postgres-store
CertificateAuthority postgres-etcd-ca < postgres-etcd
CertificateAuthority postgres-k3s-client-ca < postgres-k3s
CertificateAuthority postgres-k3s-etcd-peer-ca < postgres-k3s
CertificateAuthority postgres-k3s-etcd-server-ca < postgres-k3s
CertificateAuthority postgres-k3s-request-header-ca < postgres-k3s
CertificateAuthority postgres-k3s-server-ca < postgres-k3s
CertificateAuthority postgres-patroni-api-ca < postgres-patroni
CertificateAuthority postgres-patroni-ca < postgres-patroni
CertificateAuthority postgres-pgbackrest-ca < postgres-pgbackrest
CertificateAuthority postgres-store-ca < postgres-store
ConfigMap postgres-haproxy-config < postgres-haproxy
ConfigMap postgres-patroni-config < postgres-patroni
ConfigMap postgres-pgbackrest-restore < postgres-pgbackrest
DaemonSet postgres-haproxy-proxies < postgres-haproxy
Deployment postgres-backup-deployment < postgres-backup
DockerMachine postgres-machines-machine-1 < postgres-machines
DockerMachine postgres-machines-machine-2 < postgres-machines
DockerMachine postgres-machines-machine-3 < postgres-machines
DockerMachine postgres-store-machine < postgres-store
DockerMachines postgres-machines < postgres
DockerNetwork postgres-machines-network < postgres-machines
DockerVolume postgres-store-volume < postgres-store
EtcdCluster postgres-etcd < postgres
EtcdMembers postgres-etcd-ready < postgres-etcd
Haproxy postgres-haproxy < postgres
Image postgres-images-etcd < postgres-images
Image postgres-images-haproxy < postgres-images
Image postgres-images-patroni < postgres-images
Images postgres-images < postgres
K3sCluster postgres-k3s < postgres
K3sIdentity postgres-k3s-identity < postgres-k3s
K3sNode postgres-k3s-machine-1 < postgres-k3s
K3sNode postgres-k3s-machine-2 < postgres-k3s
K3sNode postgres-k3s-machine-3 < postgres-k3s
K3sRoster postgres-roster < postgres
KeyPair postgres-machines-login < postgres-machines
KeyPair postgres-machines-machine-1-host-key < postgres-machines
KeyPair postgres-machines-machine-2-host-key < postgres-machines
KeyPair postgres-machines-machine-3-host-key < postgres-machines
KeyPair postgres-store-machine-host-key < postgres-store
MachineImage postgres-machines-image < postgres-machines
MachinePower postgres-machines-machine-1-power < postgres-machines
MachinePower postgres-machines-machine-2-power < postgres-machines
MachinePower postgres-machines-machine-3-power < postgres-machines
MachinePower postgres-store-machine-power < postgres-store
MemberCount postgres-etcd-member-count < postgres-etcd
MemberCount postgres-patroni-member-count < postgres-patroni
Namespace postgres-namespace < postgres
Namespace postgres-proxy-namespace < postgres
NetworkPolicies postgres-network < postgres
NetworkPolicy postgres-network-default-deny < postgres-network
NetworkPolicy postgres-network-etcd < postgres-network
NetworkPolicy postgres-network-postgresql < postgres-network
NodeImages postgres-images-machine-1 < postgres-images
NodeImages postgres-images-machine-2 < postgres-images
NodeImages postgres-images-machine-3 < postgres-images
ObjectStore postgres-store < postgres
ObjectStoreServer postgres-store-server < postgres-store
PatroniCluster postgres-patroni < postgres
PatroniState postgres-state < postgres
PassphraseCheck postgres-pgbackrest-passphrase-check < postgres-pgbackrest
PgBackRest postgres-pgbackrest < postgres
PodDisruptionBudget postgres-etcd-budget < postgres-etcd
PodDisruptionBudget postgres-patroni-budget < postgres-patroni
PostgresHA postgres < (none)
RandomPassword postgres-k3s-token < postgres-k3s
RandomPassword postgres-patroni-owner-password < postgres-patroni
RandomPassword postgres-patroni-replication-password < postgres-patroni
RandomPassword postgres-patroni-rewind-password < postgres-patroni
RandomPassword postgres-patroni-superuser-password < postgres-patroni
RandomPassword postgres-pgbackrest-passphrase < postgres-pgbackrest
RandomPassword postgres-store-access-key-id < postgres-store
RandomPassword postgres-store-secret-access-key < postgres-store
RepositoryCheck postgres-repository-check < postgres
Role postgres-etcd-marker < postgres-etcd
RoleBinding postgres-etcd-marker < postgres-etcd
Secret postgres-etcd-tls < postgres-etcd
Secret postgres-patroni-credentials < postgres-patroni
Secret postgres-patroni-etcd-client < postgres-patroni
Secret postgres-patroni-tls < postgres-patroni
Secret postgres-pgbackrest-backup-runner-tls < postgres-pgbackrest
Secret postgres-pgbackrest-pgbackrest-tls < postgres-pgbackrest
Secret postgres-pgbackrest-runner-settings < postgres-pgbackrest
Secret postgres-pgbackrest-settings < postgres-pgbackrest
Service postgres-backup-service < postgres-backup
Service postgres-etcd-0 < postgres-etcd
Service postgres-etcd-1 < postgres-etcd
Service postgres-etcd-2 < postgres-etcd
Service postgres-etcd-headless < postgres-etcd
Service postgres-haproxy-ro < postgres-haproxy
Service postgres-haproxy-rw < postgres-haproxy
Service postgres-patroni-0 < postgres-patroni
Service postgres-patroni-1 < postgres-patroni
Service postgres-patroni-2 < postgres-patroni
Service postgres-patroni-headless < postgres-patroni
ServiceAccount postgres-etcd-account < postgres-etcd
SigningKey postgres-k3s-service-account-key < postgres-k3s
StatefulSet postgres-etcd-members < postgres-etcd
StatefulSet postgres-patroni-instances < postgres-patroni
kubernetes postgres-k3s-provider < postgres-k3s
`
    .trim()
    .split("\n");

const nameOf = (urn: string): string => urn.split("::").pop() ?? "";

describe("the resources of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    it("are exactly these, each below its component", () => {
        const found = resources.map(
            (resource) => `${kind(resource)} ${resource.name} < ${nameOf(resource.parent) || "(none)"}`,
        );
        assert.deepEqual(found.sort(), [...expected].sort());
    });

    it("carry their parent's name as a prefix", () => {
        const astray = resources.filter(({ name, parent }) => parent !== "" && !name.startsWith(`${nameOf(parent)}-`));
        assert.deepEqual(
            astray.map(({ name }) => name),
            [],
        );
    });

    it("have URNs of their own", () => {
        assert.equal(new Set(resources.map(({ urn }) => urn)).size, resources.length);
        assert.ok(resources.every(({ urn }) => urn !== ""));
    });

    it("are of the types that states already hold: a type is part of a resource's identity", () => {
        const own = resources.map(({ type }) => type).filter((type) => type.startsWith("postgresha:"));
        assert.deepEqual(own.sort(), [
            "postgresha:etcd:EtcdCluster",
            "postgresha:haproxy:Haproxy",
            "postgresha:images:Images",
            "postgresha:index:NetworkPolicies",
            "postgresha:index:PostgresHA",
            "postgresha:k3s:K3sCluster",
            "postgresha:machines:DockerMachines",
            "postgresha:objectStore:ObjectStore",
            "postgresha:patroni:PatroniCluster",
            "postgresha:pgbackrest:BackupRunner",
            "postgresha:pgbackrest:PgBackRest",
        ]);
    });

    it("of components announce their outputs, once they are complete", () => {
        const components = resources.filter(({ custom }) => !custom);
        assert.deepEqual(
            components.filter(({ outputs }) => outputs === undefined).map(({ name }) => name),
            [],
        );
        assert.deepEqual(Object.keys(find(resources, "PostgresHA", "postgres").outputs ?? {}), ["endpoints", "status"]);
    });

    it("hold no code and no path of the machine they were made on", () => {
        for (const { name, wire } of resources) {
            const text = JSON.stringify(wire);
            assert.ok(!text.includes(process.cwd()), `${name} holds the path of the checkout`);
        }
    });
});
