import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** One member as `etcdctl endpoint status --write-out simple` shows it. */
interface Status {
    leads?: boolean;
    learner?: boolean;
    term?: number;
    applied?: number;
    error?: string;
}

interface World {
    /** What the member's own metrics say. */
    leads: boolean;
    /** Who holds Patroni's lock. */
    leader?: string;
    /** Node tags of the instances. */
    nodes: Record<string, string>;
    /** Members in the order of their addresses; undefined does not answer. */
    members: (Status | undefined)[];
}

const healthy: World = {
    leads: true,
    leader: "pg-1",
    nodes: { "pg-0": "machine-1", "pg-1": "machine-2" },
    members: [{}, { leads: true }, { applied: 101 }],
};

const line = (status: Status, index: number): string =>
    [
        ...[`https://10.0.0.${index}:2379`, `id${index}`, "3.6.6", "3.6.0", "29 kB", "25 kB", "15%", "2.1 GB"],
        ...[String(status.leads ?? false), String(status.learner ?? false), String(status.term ?? 7), "104"],
        ...[String(status.applied ?? 100), status.error ?? "", "", "false"],
    ].join(", ");

/**
 * The real script with stand-ins for curl and etcdctl, on the second of three machines. What it decides is proven;
 * that etcd moves its leader, and that the columns are etcd's, shows only on a cluster.
 */
describe("keeping etcd's leader away from the primary's machine", () => {
    const moves = async (world: World, seconds = 1.2): Promise<string[]> => {
        const folder = mkdtempSync(join(tmpdir(), "keep-leader-away-"));
        const program = (name: string, text: string) => {
            writeFileSync(join(folder, name), `#!/bin/bash\n${text}`);
            chmodSync(join(folder, name), 0o755);
        };
        const statuses = world.members.flatMap((status, index) => (status === undefined ? [] : [line(status, index)]));
        writeFileSync(join(folder, "status"), statuses.map((text) => `${text}\n`).join(""));
        for (const [instance, node] of Object.entries(world.nodes)) {
            writeFileSync(join(folder, instance), `{"role":"primary","tags":{"node":"${node}"},"timeline":3}\n`);
        }
        // As much as etcd's own metrics, most of it after the line: more than a pipe holds.
        const rest = `yes "grpc_server_handled_total 0" | head -n 10000`;
        program("curl", `set -e; echo "# HELP"; echo "etcd_server_is_leader ${world.leads ? 1 : 0}"; ${rest}`);
        program(
            "etcdctl",
            `last="\${!#}"
            case "$*" in
                *"endpoint status"*) cat ${folder}/status ;;
                *" /service/pg/leader") echo '${world.leader ?? ""}' ;;
                *"/service/pg/members/"*) cat "${folder}/\${last##*/}" 2>/dev/null ;;
                *move-leader*) echo "$last" >> ${folder}/moves ;;
                *) exit 1 ;;
            esac`,
        );
        const script = join(__dirname, "../../../components/etcd/image/keep-leader-away");
        const child = spawn("bash", [script], {
            stdio: "ignore",
            detached: true,
            env: {
                PATH: `${folder}:${process.env["PATH"]}`,
                MEMBER_NAME: "etcd-1",
                NODE_NAME: "machine-2",
                MEMBER_ADDRESS: "10.0.0.1",
                INITIAL_CLUSTER: [0, 1, 2].map((index) => `etcd-${index}=https://10.0.0.${index}:2380`).join(","),
                TLS_DIR: "/none",
                PATRONI_KEYS: "/service/pg/",
                LOOK_SECONDS: "0.1",
                REST_SECONDS: "30",
            },
        });
        await sleep(seconds * 1000);
        process.kill(-(child.pid ?? assert.fail("not started")), "SIGKILL");
        const file = join(folder, "moves");
        const made = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
        rmSync(folder, { recursive: true });
        return made;
    };

    it("hands over to the member furthest in the log, once, and then rests", async () => {
        assert.deepEqual(await moves(healthy, 2.5), ["id2"]);
    });

    it("does nothing while another member leads", async () => {
        assert.deepEqual(await moves({ ...healthy, leads: false }), []);
    });

    it("does nothing while the primary is elsewhere, nobody leads, or its node is not known", async () => {
        assert.deepEqual(await moves({ ...healthy, leader: "pg-0" }), []);
        assert.deepEqual(await moves({ ...healthy, leader: undefined }), []);
        assert.deepEqual(await moves({ ...healthy, nodes: {} }), []);
    });

    for (const [what, third] of Object.entries<Status | undefined>({
        "does not answer": undefined,
        "is a learner": { learner: true },
        "is in another term": { term: 8 },
        "is far behind": { applied: -2000 },
        "reports an error": { error: "memberID:1 alarm:NOSPACE" },
        "believes to lead as well": { leads: true },
    })) {
        it(`does nothing while a member ${what}`, async () => {
            assert.deepEqual(await moves({ ...healthy, members: [{}, { leads: true }, third] }), []);
        });
    }

    it("does nothing when it no longer leads by its own status", async () => {
        assert.deepEqual(await moves({ ...healthy, members: [{}, {}, {}] }), []);
    });
});
