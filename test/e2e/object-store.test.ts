import assert from "node:assert/strict";
import { readStackState, type StateResource } from "../../commands/status/stack-state";
import { docker } from "../../components/docker-cli";
import type { MachineAccess } from "../../components/machines/machine";
import { withSsh } from "../../components/machines/ssh";
import { objectStoreVolume } from "../../components/naming";
import { unitName } from "../../components/object-store/config";
import { isServing } from "../../components/object-store/serving";
import { repositoryOptions, type KnownRepository } from "../../components/pgbackrest/repository-options";
import { explainProbe, renderProbe } from "../../components/pgbackrest/repository-probe";
import { measured, useCluster } from "./support";

const object = `postgres-ha-e2e/${process.pid}`;

describe("the object store of the dev stack", () => {
    const cluster = useCluster();
    let repository: KnownRepository;
    let store: { access: MachineAccess; authority: string; instance: string };

    const outputsOf = async <Outputs>(type: string, name: string): Promise<Outputs | undefined> => {
        const { resources } = await readStackState(cluster().workspace);
        const isIt = (resource: StateResource) =>
            resource.type.endsWith(`:${type}`) && resource.urn.endsWith(`::${name}`);
        return resources.find(isIt)?.outputs as Outputs | undefined;
    };

    before(async () => {
        const check = await outputsOf<{ repository: KnownRepository }>("RepositoryCheck", "postgres-repository-check");
        const server = await outputsOf<typeof store>("ObjectStoreServer", "postgres-store-server");
        assert.ok(check !== undefined && server !== undefined, "the stack makes no object store");
        ({ repository } = check);
        store = server;
    });

    /** Runs a script in the pod of the primary: in its network, with its pgBackRest. */
    async function inPrimary(script: string): Promise<string> {
        const { name, machine } = await cluster().primary();
        const ssh = await cluster().tunnel.ssh(machine.access);
        const exec = `k3s kubectl exec --stdin --namespace ${cluster().state.namespace} ${name} --container postgresql`;
        const { stdout, stderr } = await ssh.run(`${exec} -- bash`, { stdin: script, allowFailure: true });
        return `${stdout}${stderr}`.trim();
    }

    function pgbackrest(command: string): Promise<string> {
        const settings = { ...repositoryOptions(repository, "/dev/shm/e2e-ca.pem"), "log-level-file": "off" };
        const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
        return inPrimary(`umask 077
cat > /dev/shm/e2e-ca.pem <<'END'
${repository.caCertificate ?? ""}
END
cat > /dev/shm/e2e.conf <<'END'
[global]
${lines.join("\n")}
lock-path=/dev/shm
END
${command.replace("pgbackrest", "pgbackrest --config=/dev/shm/e2e.conf")}
rm -f /dev/shm/e2e.conf /dev/shm/e2e-ca.pem
exit
`);
    }

    const isUp = (): Promise<boolean> => isServing(store.access.address, store.authority);

    async function heal(): Promise<void> {
        const begin = performance.now();
        await cluster().update();
        measured("pulumi up that heals the object store", (performance.now() - begin) / 1000);
    }

    it("can be written, read and cleaned by pgBackRest from a pod", async function () {
        this.timeout(60_000);
        const output = await inPrimary(renderProbe(repository, "e2e"));
        assert.equal(output, "passed", explainProbe(repository, output));
        assert.equal(await pgbackrest(`echo kept | pgbackrest repo-put ${object}`), "");
        assert.equal(await pgbackrest(`pgbackrest repo-get ${object}`), "kept");
    });

    it("is started again by a plain update when its server was stopped", async function () {
        this.timeout(300_000);
        await withSsh(store.access, (ssh) => ssh.run(`systemctl stop ${unitName}`));
        assert.equal(await isUp(), false);
        await heal();
        assert.equal(await isUp(), true);
        assert.equal(await pgbackrest(`pgbackrest repo-get ${object}`), "kept");
    });

    it("comes back with every object after its machine was lost, and nothing else is made anew", async function () {
        this.timeout(600_000);
        const { resources } = await readStackState(cluster().workspace);
        const nodes = resources
            .filter(({ type }) => type.endsWith(":K3sNode"))
            .map(({ outputs }) => outputs["instance"]);
        await docker(["rm", "--force", `postgres-ha-${cluster().state.stack}.${store.access.name}`]);
        await cluster().refresh();
        assert.equal(await outputsOf("DockerMachine", "postgres-store-machine"), undefined);
        await heal();
        const now = await outputsOf<typeof store>("ObjectStoreServer", "postgres-store-server");
        assert.ok(now !== undefined && now.instance !== store.instance);
        assert.equal(await pgbackrest(`pgbackrest repo-get ${object}`), "kept");
        const after = await readStackState(cluster().workspace);
        const nodesNow = after.resources.filter(({ type }) => type.endsWith(":K3sNode"));
        assert.deepEqual(
            nodesNow.map(({ outputs }) => outputs["instance"]),
            nodes,
        );
        await cluster().update("--expect-no-changes");
        await pgbackrest(`pgbackrest repo-rm ${object}`);
    });

    it("keeps its buckets on the volume that the stack labels", async () => {
        const format = ["--format", '{{index .Labels "postgres-ha.stack"}}'];
        const { stack } = cluster().state;
        assert.equal(await docker(["volume", "inspect", ...format, objectStoreVolume(stack)]), stack);
    });

    it("tells its secret to nobody who reads units, arguments or logs", async () => {
        assert.ok(repository.credentials.type === "key");
        const { secretAccessKey } = repository.credentials;
        const places = `systemctl cat ${unitName}; ps axo args; journalctl --unit ${unitName}; stat -c %a /etc/object-store/environment`;
        const { stdout } = await withSsh(store.access, (ssh) => ssh.run(places));
        assert.ok(!stdout.includes(secretAccessKey));
        assert.match(stdout, /\n600\n$/);
    });
});
