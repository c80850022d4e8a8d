import assert from "node:assert/strict";
import type { RunOptions, SshConnection } from "../../../components/machines/ssh";
import { setOwnersPassword } from "../../../components/patroni/owner";

const location = { cluster: "orders", namespace: "orders", instances: ["orders-0", "orders-1"] };

describe("the password of the database's owner", () => {
    it("is set on the primary, in no argument, after logging was turned off", async () => {
        const ran: { command: string; stdin: string }[] = [];
        const run = (command: string, { stdin }: RunOptions = {}) => {
            ran.push({ command, stdin: typeof stdin === "string" ? stdin : "" });
            const members = [
                { name: "orders-0", role: "sync_standby", state: "streaming" },
                { name: "orders-1", role: "leader", state: "running" },
            ];
            return Promise.resolve({ exitCode: 0, stdout: JSON.stringify({ members }), stderr: "" });
        };
        const ssh = { run } as unknown as SshConnection;
        await setOwnersPassword(ssh, location, { name: "app", password: "verysecret" });
        const { command, stdin } = ran.at(-1) ?? { command: "", stdin: "" };
        assert.match(command, /exec -i orders-1 -c postgresql -- psql .*ON_ERROR_STOP=1/);
        assert.ok(ran.every((each) => !each.command.includes("verysecret")));
        assert.match(stdin, /^set log_statement = none;[^]*alter role "app" password 'verysecret';\n$/);
    });
});
