import assert from "node:assert/strict";
import { etcdctl } from "../../components/etcd/etcdctl";
import { waitFor } from "../../components/progress";
import { inContainer } from "../../drills/backup/pods";
import type { Fault } from "../../drills/faults/fault";
import { etcdLeader } from "../../drills/machine/etcd-leader";
import { processOf, signal } from "../../drills/machine/processes";
import { surviveFault, useCluster } from "./support";

/** Starts in vain, with the pauses that Kubernetes makes between them, and the way in as a learner. */
const backWithinSeconds = 400;

describe("an etcd member that cannot start with what it has", () => {
    const cluster = useCluster();

    /** As the members other than this one say. */
    async function ask(command: string, without: string): Promise<string> {
        const { namespace, etcdMembers } = cluster().state;
        const members = etcdMembers.map(({ name }) => name).filter((name) => name !== without);
        return etcdctl(await cluster().server(), { namespace, members }, command);
    }

    /** Read as text: an ID is larger than what a number holds. */
    async function idOf(name: string): Promise<string | undefined> {
        const lines = (await ask("member list", name)).trim().split("\n");
        const voter = lines.map((line) => line.split(", ")).find((parts) => parts[2] === name && parts[5] === "false");
        return voter?.[0];
    }

    /** Breaks a member that does not lead, so that it cannot come up as it is. */
    const broken = (
        name: string,
        imitates: string,
        damage: (member: string, id: string) => Promise<unknown>,
    ): Fault => ({
        name,
        imitates,
        bar: "unaffected",
        failover: "forbidden",
        async prepare() {
            const leader = await etcdLeader(cluster());
            const [member] = cluster().state.etcdMembers.filter((each) => each.name !== leader.name);
            assert.ok(member !== undefined);
            const before = await idOf(member.name);
            assert.ok(before !== undefined);
            return {
                target: member.name,
                inject: async () => void (await damage(member.name, before)),
                heal: () =>
                    waitFor(`${member.name} as another member of etcd`, backWithinSeconds, async () => {
                        const now = await idOf(member.name).catch(() => undefined);
                        const isBack = now !== undefined && now !== before;
                        return isBack ? { done: undefined } : { waiting: `its ID is ${now ?? "not there"}` };
                    }),
            };
        },
    });

    it("joins anew when the others have removed it, as when an old disk comes back", async function () {
        this.timeout(900_000);
        const removed = broken("etcd-member-removed", "a member's place was given up while it was away", (member, id) =>
            ask(`member remove ${id}`, member),
        );
        await surviveFault(cluster(), removed);
    });

    it("joins anew when its log is damaged", async function () {
        this.timeout(900_000);
        const damaged = broken(
            "etcd-log-damaged",
            "a block of a member's log is lost with the power",
            async (member) => {
                const { ssh } = cluster().machineOf(await cluster().place(member));
                await inContainer(
                    cluster(),
                    member,
                    "etcd",
                    'for log in "$DATA_DIR"/member/wal/*.wal; do dd if=/dev/urandom of="$log" bs=4096 count=1 conv=notrunc; done',
                );
                await signal(ssh, "KILL", [await processOf(ssh, "etcd")]);
            },
        );
        await surviveFault(cluster(), damaged);
    });
});
