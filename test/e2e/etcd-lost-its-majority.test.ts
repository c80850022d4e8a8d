import assert from "node:assert/strict";
import { waitFor } from "../../components/progress";
import { kubectl } from "../../drills/backup/pods";
import type { Fault } from "../../drills/faults/fault";
import { blocksOf, useRunbookShell } from "./runbook";
import { surviveFault, useCluster } from "./support";

const page = "etcd-lost-its-majority";

/** The last resort, by the page's own commands and nothing else, under writers whose acknowledged rows are counted. */
describe(`docs/runbooks/${page}.md`, () => {
    // Where the page was left in the middle: the next file needs a stack.
    const cluster = useCluster(async (opened) => {
        for (const { name } of opened.state.machines) await kubectl(opened, `uncordon ${name}`);
        await kubectl(opened, "scale statefulset postgres postgres-etcd --replicas 3");
    });
    const shell = useRunbookShell(cluster);

    async function run(commands: string): Promise<string> {
        const { status, output } = await shell().run(`set -e\n${commands}`, { cwd: shell().folder });
        assert.equal(status, 0, `${commands}\n${output}`);
        return output;
    }

    const untilThreeVote = () =>
        waitFor("a new etcd", 240, async () => {
            const pods = await kubectl(cluster(), "get pods --no-headers").catch((error: Error) => error.message);
            const ready = pods.split("\n").filter((line) => /-etcd-\d +1\/1 /.test(line)).length;
            return ready === 3 ? { done: undefined } : { waiting: `${ready} of 3 members are ready` };
        });

    /** As a person who reads what the commands print. */
    async function follow(): Promise<void> {
        const [save, askSync, compare, form, start] = blocksOf(page, "The disks of a majority are lost");
        assert.ok(save && askSync && compare && form && start, "the page has other steps than it had");
        await run(save);
        const { leader } = JSON.parse(await run(askSync)) as { leader: string };
        const { instances } = cluster().state;
        for (const { name } of instances) {
            const row = await run(compare.replace("exec postgres-0", `exec ${name}`));
            assert.match(row, /\| [ft] /, `${name} does not say how far it is`);
        }
        const others = instances.filter(({ name }) => name !== leader);
        const places = await Promise.all(others.map(({ name }) => cluster().place(name)));
        await run(form);
        await untilThreeVote();
        for (const command of start.split("\n")) {
            const [, comment] = command.split("#");
            if (command.includes("<node of each other instance>")) {
                for (const { machine } of places)
                    await run(command.replace("<node of each other instance>", machine.name));
            } else if (comment?.includes("until it is Leader") === true) {
                await waitFor(`${leader} as leader`, 120, async () => {
                    const { output } = await shell().run(command.replace("<chosen>", leader));
                    const leads = new RegExp(`${leader} .*\\bLeader\\b`).test(output);
                    return leads ? { done: undefined } : { waiting: output };
                });
            } else await run(command);
        }
    }

    const lost: Fault = {
        name: "etcd-majority-lost",
        imitates: "two of etcd's disks are lost for good, and a person forms a new etcd",
        bar: "restart",
        failover: "allowed",
        holdSeconds: 20,
        awayUntilHealed: true,
        prepare: () =>
            Promise.resolve({
                target: "two members of etcd",
                inject: async () => {
                    const [, second, third] = cluster().state.etcdMembers.map(({ name }) => name);
                    await kubectl(cluster(), `delete pvc data-${second} data-${third} --wait=false`);
                    await kubectl(cluster(), `delete pod ${second} ${third} --grace-period=0 --force`);
                },
                heal: follow,
            }),
    };

    it("brings every acknowledged row through the loss of two of etcd's disks", async function () {
        this.timeout(1_200_000);
        await surviveFault(cluster(), lost);
        await cluster().update();
        await cluster().waitUntilRedundant();
    });
});
