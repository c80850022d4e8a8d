import assert from "node:assert/strict";
import { listeningPorts, provider } from "../../../components/machines/existing/host.step";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";
import { MachineFiles } from "./machine-files";
import { TestMachine } from "./ssh-server";

const marker = "/etc/rancher/k3s/config.yaml.d/10-join.yaml";
const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const socket = (number: number, port: number, state: string): string =>
    `   ${number}: 00000000:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 ${state} 00000000:00000000 00:00000000`;

/** A machine of this process whose files are in a directory of its own. */
describe("an existing host", () => {
    const directory = temporaryDirectory();
    const files = new MachineFiles(() => directory.path());
    const machine = new TestMachine();
    before(() => {
        machine.rewrite = (command) =>
            command.startsWith("id -u") ? "printf '0\\n00ff\\nsystemd\\n'" : files.rewrite(command);
        return machine.start();
    });
    after(() => machine.stop());
    let restore = (): void => undefined;
    afterEach(() => {
        restore();
        restore = () => undefined;
        files.clear();
    });

    const put = files.put.bind(files);
    const create = () => provider.create({ access: machine.access() });

    it("that is vacant is taken, known by its machine-id", async () => {
        put("/proc/net/tcp", [header, socket(0, 22, "0A"), socket(1, 5432, "01")].join("\n"));
        assert.equal((await create()).outs.instance, "00ff");
    });

    it("is refused to a user who may not become root, with what would allow it", async () => {
        machine.user = "ops";
        restore = fakeCommands(directory.path(), { sudo: "echo 'sudo: a password is required' >&2; exit 1" });
        await assert
            .rejects(
                create,
                /user ops cannot become root \(sudo: a password is required\).*NOPASSWD: ALL.*or log in as root/,
            )
            .finally(() => (machine.user = "root"));
    });

    it("with somebody else's Kubernetes is refused, with the files that say so", async () => {
        put("/etc/systemd/system/k3s-agent.service");
        put("/etc/rancher/k3s/config.yaml");
        await assert.rejects(
            create,
            /machine-1 .*another Kubernetes is installed here \(.*config\.yaml, .*k3s-agent\.service\)[^]*nothing of it was touched/,
        );
    });

    it("with a server on a port of the stack is refused, every port named", async () => {
        put("/proc/net/tcp", [header, socket(0, 6443, "0A")].join("\n"));
        put("/proc/net/tcp6", [header, socket(0, 5432, "0A"), socket(1, 8080, "0A")].join("\n"));
        await assert.rejects(
            create,
            /listens on port 5432 \(read-write entry\), 6443 \(Kubernetes API\); the stack needs it/,
        );
    });

    it("with a node of the stack is taken over, which listens on them itself", async () => {
        put(marker);
        put("/etc/rancher/k3s/config.yaml");
        put("/proc/net/tcp", [header, socket(0, 6443, "0A")].join("\n"));
        assert.equal((await create()).outs.instance, "00ff");
    });

    it("with a firewall that lets no network through is refused, with the way to let it through", async () => {
        const firewalld = (trusted: string) => ({
            systemctl: `[ "$*" = "is-active --quiet firewalld" ]`,
            "firewall-cmd": `[ "$*" = "--zone=trusted --list-sources" ] && echo "${trusted}"`,
        });
        restore = fakeCommands(directory.path(), firewalld(""));
        await assert.rejects(
            create,
            /machine-1 .*firewalld is active and lets no network through.*firewall-cmd --perm/,
        );
        restore();
        restore = fakeCommands(directory.path(), firewalld("10.42.0.0/16 10.43.0.0/16"));
        assert.equal((await create()).outs.instance, "00ff");
        restore();
        const ufw = (...rules: string[]) => ({ ufw: `printf '%s\\n' 'Status: active' '' ${rules.join(" ")}` });
        restore = fakeCommands(directory.path(), ufw("'22/tcp    ALLOW    Anywhere'"));
        await assert.rejects(create, /ufw is active and lets no network through.*`ufw allow from <block>`/);
        restore();
        restore = fakeCommands(directory.path(), ufw("'Anywhere    ALLOW    10.42.0.0/16'"));
        assert.equal((await create()).outs.instance, "00ff");
        restore();
        restore = fakeCommands(directory.path(), { ufw: "echo 'Status: inactive'" });
        assert.equal((await create()).outs.instance, "00ff");
    });

    it("without its own address on any interface is refused, by the name of the setting", async () => {
        const access = (privateAddress: string) => ({ ...machine.access(), privateAddress });
        await assert.rejects(
            () => provider.create({ access: access("192.0.2.77") }),
            /no interface has its privateAddress 192\.0\.2\.77.*`ip -4 addr`/,
        );
        assert.equal((await provider.create({ access: access("127.0.0.1") })).outs.instance, "00ff");
    });

    it("is looked at like a new one where a name leads to another host, and not where it leads to the same", async () => {
        put("/etc/kubernetes/kubelet.conf");
        const olds = (instance: string) => ({
            access: { ...machine.access(), port: 1, address: "192.0.2.9" },
            instance,
        });
        const update = async (instance: string) =>
            provider.update?.("machine-1", olds(instance), { access: machine.access() });
        await assert.rejects(update("another"), /another Kubernetes is installed here/);
        assert.equal((await update("00ff"))?.instance, "00ff");
    });

    it("that is off is the same for another operator's key and keeps what is known of it", async () => {
        const off = { ...machine.access(), ssh: { ...machine.access().ssh, port: 1 } };
        const olds = { access: { ...off, ssh: { ...off.ssh, privateKey: "another" } }, instance: "known" };
        const wait = provider.update?.("machine-1", olds, { access: off });
        assert.equal((await wait)?.instance, "known");
    }).timeout(20_000);

    it("is listened on where a socket is in state LISTEN", () => {
        assert.deepEqual(
            [...listeningPorts([header, socket(0, 5433, "0A"), socket(1, 80, "0A"), socket(2, 81, "06")])],
            [80, 5433],
        );
    });
});
