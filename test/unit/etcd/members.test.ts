import assert from "node:assert/strict";
import { provider, unhealthy } from "../../../components/etcd/members.step";
import type { MachineAccess } from "../../../components/machines/machine";
import type { SshConnection } from "../../../components/machines/ssh";

const location = {
    namespace: "orders",
    members: ["orders-etcd-0", "orders-etcd-1"],
    hosts: ["10.43.0.32:2379", "10.43.0.33:2379"],
};

interface Answer {
    exitCode: number;
    stdout: string;
    stderr: string;
}

/** What `kubectl exec` answers in each pod. */
function machine(answers: Record<string, Answer>): SshConnection {
    const run = (command: string) => {
        const pod = /exec -i (\S+)/.exec(command)?.[1] ?? "none";
        return Promise.resolve(answers[pod]);
    };
    return { run } as unknown as SshConnection;
}

const said = (answers: object[]): Answer => ({ exitCode: 0, stdout: JSON.stringify(answers), stderr: "" });
const gone: Answer = { exitCode: 1, stdout: "", stderr: "Error from server (NotFound): no such pod" };
const [first, second] = [
    { endpoint: "https://10.43.0.32:2379", health: true },
    { endpoint: "https://10.43.0.33:2379", health: true },
];

describe("etcd's members", () => {
    it("are well when each can be read from", async () => {
        assert.deepEqual(await unhealthy(machine({ "orders-etcd-0": said([first, second]) }), location), []);
    });

    it("are asked through another when one has no pod, and the reason is told", async () => {
        const failed = { ...first, health: false, error: "context deadline exceeded" };
        const ssh = machine({ "orders-etcd-0": gone, "orders-etcd-1": said([failed, second]) });
        assert.deepEqual(await unhealthy(ssh, location), ["10.43.0.32:2379 context deadline exceeded"]);
    });

    it("are not well when one of them was not asked", async () => {
        const ssh = machine({ "orders-etcd-0": said([first]) });
        assert.deepEqual(await unhealthy(ssh, location), ["10.43.0.33:2379 was not asked"]);
    });

    it("are well with an alarm, which another template may be there to mend", async () => {
        const alarmed = { ...first, health: false, error: "Active Alarm(s): NOSPACE " };
        assert.deepEqual(await unhealthy(machine({ "orders-etcd-0": said([alarmed, second]) }), location), []);
    });

    it("cannot be told about when no pod answers", async () => {
        const ssh = machine({ "orders-etcd-0": gone, "orders-etcd-1": gone });
        await assert.rejects(unhealthy(ssh, location), /in no pod: orders-etcd-0: .*no such pod; orders-etcd-1/);
    });

    it("are looked at for another template, not for another way to them", async () => {
        const inputs = { ...location, cluster: "orders", set: "orders-etcd", servers: [], template: "1" };
        const servers = [{ name: "machine-1" } as MachineAccess];
        assert.equal((await provider.diff("orders-etcd", inputs, { ...inputs, servers })).changed, false);
        assert.equal((await provider.diff("orders-etcd", inputs, { ...inputs, template: "2" })).changed, true);
    });
});
