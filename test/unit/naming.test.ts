import assert from "node:assert/strict";
import fc from "fast-check";
import * as naming from "../../components/naming";

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/);
const isDnsLabel = (text: string): boolean => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);

const serviceNames = (cluster: string): string[] => [
    ...Array.from({ length: 7 }, (_, index) => naming.etcdMemberName(cluster, index)),
    ...Array.from({ length: 9 }, (_, index) => naming.instanceName(cluster, index)),
    naming.readWriteService(cluster),
    naming.readOnlyService(cluster),
];

describe("names", () => {
    it("of one cluster never collide and are DNS labels, for every legal name of a cluster", () => {
        fc.assert(
            fc.property(label, (cluster) => {
                const names = serviceNames(cluster);
                assert.equal(new Set(names).size, names.length);
                assert.ok(
                    [...names, naming.proxyNamespace(cluster), naming.databaseNamespace(cluster)].every(isDnsLabel),
                );
            }),
        );
    });

    it("of the two namespaces differ, because their pod security does", () => {
        fc.assert(
            fc.property(label, (cluster) => naming.databaseNamespace(cluster) !== naming.proxyNamespace(cluster)),
        );
    });

    it("of docker machines differ by machine, and are names docker accepts", () => {
        fc.assert(
            fc.property(label, fc.uniqueArray(label, { minLength: 1, maxLength: 9 }), (stack, machines) => {
                const names = machines.map((machine) => naming.dockerName(stack, machine));
                assert.equal(new Set(names).size, names.length);
                assert.ok(names.every((name) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)));
                assert.ok(names.every((name) => name.startsWith(`${naming.dockerNetworkName(stack)}.`)));
            }),
        );
    });

    it("of docker machines differ by stack, however stack and machine are cut", () => {
        assert.notEqual(naming.dockerName("a-b", "c"), naming.dockerName("a", "b-c"));
    });

    it("carry the labels the contract promises", () => {
        assert.deepEqual(naming.dockerLabels, {
            stack: "postgres-ha.stack",
            machine: "postgres-ha.machine",
            store: "postgres-ha.store",
        });
        assert.deepEqual(naming.labels("postgres", "etcd"), {
            "app.kubernetes.io/name": "etcd",
            "app.kubernetes.io/instance": "postgres",
            "app.kubernetes.io/part-of": "postgres-ha",
        });
    });

    it("of ports that share a node are told apart", () => {
        const { ssh, kubernetes, readWrite, readOnly, haproxyStats } = naming.ports;
        const onNode = [ssh, kubernetes, readWrite, readOnly, haproxyStats];
        assert.deepEqual(onNode, [22, 6443, 5432, 5433, 8404]);
        const { postgresql, patroni, etcdClient, etcdPeer, etcdMetrics } = naming.ports;
        assert.deepEqual([postgresql, patroni, etcdClient, etcdPeer, etcdMetrics], [5432, 8008, 2379, 2380, 2381]);
    });
});
