import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { stateDirectory } from "../../offline/checkout";
import { ownBackendFiles, passphraseFile } from "../../commands/workspace";
import { useCluster } from "./support";

/** Text by which a secret would be recognised: of a key its body, which survives any change of line ends. */
const recognisable = (value: string): string =>
    value.includes("PRIVATE KEY") ? (value.split("\n").find((line) => line.length >= 60) ?? value) : value;

function files(folder: string): string[] {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
        .map((name) => join(folder, name))
        .filter((path) => path !== passphraseFile && statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}

describe("secrets", () => {
    const cluster = useCluster();
    let secrets: Map<string, string>;

    before(() => {
        secrets = new Map();
        for (const { urn, outputs } of cluster().state.resources) {
            for (const key of ["result", "privateKey"]) {
                const value = outputs[key];
                if (typeof value === "string") secrets.set(`${urn.split("::").pop()} ${key}`, recognisable(value));
            }
        }
        assert.ok(secrets.size >= 12, `only ${secrets.size} secrets are known: the search proves nothing`);
    });

    const findIn = (text: string): string[] =>
        [...secrets].filter(([, value]) => text.includes(value)).map(([name]) => name);

    it("are in no process's arguments on any machine", async () => {
        for (const { name, access } of cluster().state.machines) {
            const ssh = await cluster().tunnel.ssh(access);
            const { stdout } = await ssh.run("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '", {
                allowFailure: true,
            });
            assert.match(stdout, /patroni/, `${name}: the search does not reach the pods`);
            assert.deepEqual(findIn(stdout), [], name);
        }
    });

    it("are in no ConfigMap and in no pod's definition", async () => {
        for (const kind of ["configmaps", "pods"]) {
            const list = await cluster().kubernetes.get<{ items: unknown[] }>(`/api/v1/${kind}`);
            assert.ok(list.items.length > 3, kind);
            assert.deepEqual(findIn(JSON.stringify(list)), [], kind);
        }
    });

    it("are in no log of a pod or of a machine", async () => {
        for (const { name, access } of cluster().state.machines) {
            const ssh = await cluster().tunnel.ssh(access);
            const command = "cat /var/log/pods/*/*/*.log; journalctl --no-pager --output cat --lines 20000";
            const { stdout } = await ssh.run(command, { allowFailure: true });
            assert.ok(stdout.length > 1000, `${name}: no logs were found`);
            assert.deepEqual(findIn(stdout), [], name);
        }
    });

    it("are nowhere in plain text in what Pulumi keeps on disk: state, backups, history and logs", () => {
        const kept = files(stateDirectory);
        if (cluster().workspace.ownsState) {
            assert.ok(
                kept.some((path) => path.startsWith(ownBackendFiles)),
                "the state was not searched",
            );
        }
        for (const path of kept) {
            assert.deepEqual(findIn(readFileSync(path, "utf8")), [], path);
        }
    });
});
