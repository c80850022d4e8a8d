import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { artifact } from "../../components/artifacts";
import { makeAuthority, makeLeaf, type Pem } from "../../components/certificates/x509";
import { contentDigest } from "../../components/content-digest";
import { docker } from "../../components/docker-cli";
import { provider as keyPairs } from "../../components/machines/key-pair.step";
import { provider as machines, type DockerMachineOutputs } from "../../components/machines/docker/machine.step";
import { provider as networks } from "../../components/machines/docker/network.step";
import { provider as volumes } from "../../components/machines/docker/volume.step";
import { withSsh } from "../../components/machines/ssh";
import { dockerName, dockerNetworkName, objectStoreVolume } from "../../components/naming";
import { paths, renderUnit, unitName, user } from "../../components/object-store/config";
import { provider as servers, type ObjectStoreServerInputs } from "../../components/object-store/server.step";
import { isServing } from "../../components/object-store/serving";
import { versions } from "../../components/versions";
import { findToolchain } from "../../offline/toolchain";

const stack = `contract-${process.pid}`;
const address = "10.219.77.20";
const network = { name: dockerNetworkName(stack), stack, subnet: "10.219.77.0/24", bridge: "pgha-contract" };
const volume = { name: objectStoreVolume(stack), stack };
const marker = `${paths.buckets}/backups/marker`;

/**
 * The steps of the object store, as the engine calls them, on a machine, network and volume of their own. It does not
 * prove in which order the engine calls them: that is the component and e2e tests' part.
 */
describe("the steps of the object store", function () {
    this.timeout(180_000);
    const earlierFolder = process.env["POSTGRES_HA_ARTIFACTS"];
    let authority: Pem;
    let machine: DockerMachineOutputs;
    let store: ObjectStoreServerInputs;

    before(async function () {
        const skip = (why: string): void => {
            console.log(`      skipped: ${why}`);
            this.skip();
        };
        const folder = earlierFolder ?? (await findToolchain({ objectStore: true }))?.artifacts;
        if (folder !== undefined) process.env["POSTGRES_HA_ARTIFACTS"] = folder;
        const image = `postgres-ha/machine:${contentDigest("components/machines/docker/image", versions.baseImage)}`;
        if (spawnSync("docker", ["image", "inspect", image]).status !== 0) {
            return skip(`the image ${image} is not on this host; make up builds it`);
        }
        const architecture = process.arch === "arm64" ? "arm64" : "amd64";
        const binary = await artifact("versitygw", architecture).catch((error: Error) => error);
        if (binary instanceof Error) return skip(binary.message);
        authority = await makeAuthority({ commonName: "object store CA" }, 1);
        await networks.create(network);
        await volumes.create(volume);
        machine = await boot(image);
        store = await inputs(machine);
    });

    after(async () => {
        if (earlierFolder === undefined) delete process.env["POSTGRES_HA_ARTIFACTS"];
        if (machine === undefined) return;
        await machines.delete?.(machine.instance, machine);
        await volumes.delete?.(volume.name, volume);
        await networks.delete?.(network.name, network);
    });

    async function boot(image: string): Promise<DockerMachineOutputs> {
        const login = (await keyPairs.create({ comment: stack })).outs;
        const host = (await keyPairs.create({ comment: "store" })).outs;
        const { outs } = await machines.create({
            machine: "store",
            container: dockerName(stack, "store"),
            stack,
            network: network.name,
            address,
            image,
            authorizedKey: login.publicKey,
            hostPrivateKey: host.privateKey,
            ssh: { user: "root", port: 22, privateKey: login.privateKey, hostKey: host.publicKey },
            mounts: { [volume.name]: paths.buckets },
        });
        return outs;
    }

    async function inputs({ instance, ssh }: DockerMachineOutputs): Promise<ObjectStoreServerInputs> {
        const names = { dnsNames: ["store"], ipAddresses: [address] };
        const leaf = await makeLeaf(authority, { commonName: "store", ...names, usages: ["server"], validityDays: 1 });
        return {
            access: { name: "store", address, privateAddress: address, ssh },
            instance,
            version: versions.versitygw,
            unit: renderUnit(),
            ...leaf,
            authority: authority.certificate,
            accessKeyId: "contractkey",
            secretAccessKey: "contractsecret",
            bucket: "backups",
        };
    }

    const run = async (command: string): Promise<string> =>
        (await withSsh(store.access, (ssh) => ssh.run(command))).stdout.trim();
    const isUp = (): Promise<boolean> => isServing(address, authority.certificate);
    const changed = async (news = store): Promise<boolean> => (await servers.diff("store", store, news)).changed;

    it("install a server that answers over verified HTTPS and has the bucket", async () => {
        await servers.create(store);
        assert.equal(await isUp(), true);
        await run(`test -d ${paths.buckets}/backups && echo kept > ${marker}`);
        assert.equal(await changed(), false);
        assert.deepEqual(await servers.read?.("store", store), store);
    });

    it("run it as a user of its own, its keys readable by root alone", async () => {
        assert.equal(await run("ps -o user:32= -C versitygw"), user);
        assert.equal(await run(`stat -c %a:%U ${paths.environment}`), "600:root");
        assert.doesNotMatch(await run(`ps axo args; systemctl cat ${unitName}; journalctl`), /contractsecret/);
    });

    it("are done as root for a user who may become that, to the letter", async () => {
        await run(
            "useradd --create-home ops && echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops && " +
                "install -D -m 600 -o ops -g ops /root/.ssh/authorized_keys /home/ops/.ssh/authorized_keys",
        );
        const access = { ...store.access, ssh: { ...store.access.ssh, user: "ops" } };
        await withSsh(access, async (ssh) => {
            const command = `id -u; echo "it's $((1 + 1)) $SSH_CONNECTION"; for word in 'a  b'; do echo "$word"; done; cat`;
            const { stdout } = await ssh.run(command, { stdin: "given" });
            assert.match(stdout, /^0\nit's 2 \S+ \d+ \S+ 22\na {2}b\ngiven$/);
            assert.equal(await ssh.writeFile("/etc/written-by-ops", "text", "0600"), true);
            assert.equal((await ssh.run("exit 7", { allowFailure: true })).exitCode, 7);
        });
        assert.equal(await run("stat -c %a:%U /etc/written-by-ops"), "600:root");
        await servers.update?.("store", store, { ...store, access });
        await run("userdel --remove ops && rm /etc/sudoers.d/ops");
    });

    it("change nothing and restart nothing when run again", async () => {
        const pid = await run(`systemctl show ${unitName} --property MainPID --value`);
        await servers.update?.("store", store, store);
        assert.equal(await run(`systemctl show ${unitName} --property MainPID --value`), pid);
    });

    it("see a stopped server and start it", async () => {
        await run(`systemctl stop ${unitName}`);
        assert.equal(await changed(), true);
        await servers.update?.("store", store, store);
        assert.equal(await isUp(), true);
        assert.equal(await changed(), false);
    });

    it("put a renewed certificate into use, and tell what keeps the server from starting", async () => {
        const renewed = await inputs(machine);
        assert.equal(await changed(renewed), true);
        await servers.update?.("store", store, renewed);
        store = renewed;
        assert.equal(await isUp(), true);
        await assert.rejects(
            async () => servers.update?.("store", store, { ...store, privateKey: "no key" }),
            /object-store\.service: bucket backups: not within 60 s[^]*tls: failed to find any PEM data in key input/,
        );
        await servers.update?.("store", store, store);
        assert.equal(await isUp(), true);
    });

    it("see a lost machine, and find every object on the new one", async () => {
        await docker(["rm", "--force", machine.container]);
        assert.equal(await machines.read?.(machine.instance, machine), undefined);
        assert.deepEqual(await machines.diff(machine.instance, machine, machine), {
            changed: true,
            replaces: ["container"],
        });
        await servers.delete?.("store", store);
        await machines.delete?.(machine.instance, machine);
        assert.deepEqual(await volumes.read?.(volume.name, volume), volume);
        machine = (await machines.create(machine)).outs;
        assert.notEqual(machine.instance, store.instance);
        store = { ...store, instance: machine.instance };
        await servers.create(store);
        assert.equal(await isUp(), true);
        assert.equal(await run(`cat ${marker}`), "kept");
    });

    it("take the server off a machine and leave the buckets", async () => {
        await servers.delete?.("store", store);
        assert.equal(await isUp(), false);
        assert.equal(await servers.read?.("store", store), undefined);
        assert.equal(await run(`cat ${marker}`), "kept");
    });
});
