import assert from "node:assert/strict";
import { answerFor, type Recorded } from "./mocks";
import { devStack, find, kind, objects } from "./stack";

describe("the order of the dev stack", () => {
    let resources: Recorded[];
    before(async () => ({ resources } = await devStack()));

    const dependencies = (wantedKind: string, name: string): string[] =>
        find(resources, wantedKind, name).dependencies.map((urn) => {
            const found = resources.find((resource) => resource.urn === urn);
            return found ? `${kind(found)} ${found.name}` : urn;
        });

    it("adds servers one after another, as etcd takes them in", () => {
        const before = (name: string) =>
            dependencies("K3sNode", name).filter((dependency) => dependency.startsWith("K3sNode"));
        assert.deepEqual(before("postgres-k3s-machine-1"), []);
        assert.deepEqual(before("postgres-k3s-machine-2"), ["K3sNode postgres-k3s-machine-1"]);
        assert.deepEqual(before("postgres-k3s-machine-3"), ["K3sNode postgres-k3s-machine-2"]);
    });

    it("begins a cluster only when every machine is switched on: the first server asks the others", () => {
        const powers = [1, 2, 3].map((number) => `MachinePower postgres-machines-machine-${number}-power`);
        for (const number of [1, 2, 3]) {
            const found = dependencies("K3sNode", `postgres-k3s-machine-${number}`);
            assert.deepEqual(
                powers.filter((power) => !found.includes(power)),
                [],
            );
        }
    });

    it("talks to the cluster when all its nodes are there", () => {
        for (const number of [1, 2, 3]) {
            assert.ok(
                dependencies("kubernetes", "postgres-k3s-provider").includes(`K3sNode postgres-k3s-machine-${number}`),
            );
        }
    });

    it("starts no workload before the images are on every node", () => {
        for (const namespace of ["postgres-namespace", "postgres-proxy-namespace"]) {
            assert.ok(dependencies("Namespace", namespace).includes("K3sRoster postgres-roster"), namespace);
            const found = dependencies("K3sRoster", "postgres-roster");
            for (const number of [1, 2, 3]) {
                assert.ok(
                    found.includes(`NodeImages postgres-images-machine-${number}`),
                    `${namespace}: ${found.join()}`,
                );
            }
        }
        for (const image of ["etcd", "patroni", "haproxy"]) {
            assert.ok(
                dependencies("NodeImages", "postgres-images-machine-1").includes(`Image postgres-images-${image}`),
            );
        }
    });

    it("starts PostgreSQL when etcd is there, and looks at the cluster last", () => {
        assert.ok(
            dependencies("StatefulSet", "postgres-patroni-instances").includes("EtcdMembers postgres-etcd-ready"),
        );
        assert.ok(dependencies("EtcdMembers", "postgres-etcd-ready").includes("StatefulSet postgres-etcd-members"));
        const last = dependencies("PatroniState", "postgres-state");
        assert.ok(
            last.includes("StatefulSet postgres-patroni-instances") &&
                last.includes("DaemonSet postgres-haproxy-proxies"),
        );
    });

    it("has the addresses of members and instances before their pods", () => {
        for (const [set, services] of [
            [
                "postgres-etcd-members",
                ["postgres-etcd-0", "postgres-etcd-1", "postgres-etcd-2", "postgres-etcd-headless"],
            ],
            ["postgres-patroni-instances", ["postgres-patroni-0", "postgres-patroni-2", "postgres-patroni-headless"]],
        ] as const) {
            const found = dependencies("StatefulSet", set);
            for (const service of services) {
                assert.ok(found.includes(`Service ${service}`), `${set} before ${service}`);
            }
        }
    });

    it("deletes no object of the cluster one by one when the cluster itself goes", () => {
        const cluster = find(resources, "K3sCluster", "postgres-k3s").urn;
        const kept = objects(resources).filter(({ deletedWith }) => deletedWith !== cluster);
        assert.deepEqual(
            kept.map(({ name }) => name),
            [],
        );
        assert.equal(find(resources, "PatroniState", "postgres-state").deletedWith, cluster);
    });

    it("takes no node out of the cluster one by one when its machines go", () => {
        const machines = find(resources, "DockerMachines", "postgres-machines").urn;
        for (const number of [1, 2, 3]) {
            assert.equal(find(resources, "K3sNode", `postgres-k3s-machine-${number}`).deletedWith, machines);
        }
    });

    it("puts every object into this cluster, never into the one of a kubeconfig that happens to be there", () => {
        const provider = find(resources, "kubernetes", "postgres-k3s-provider");
        for (const object of objects(resources)) {
            assert.equal(object.provider.split("::").slice(0, 4).join("::"), provider.urn, object.name);
        }
        const identity = find(resources, "K3sIdentity", "postgres-k3s-identity");
        assert.equal(provider.inputs["clusterIdentifier"], answerFor(identity.name, "identity"));
    });
});
