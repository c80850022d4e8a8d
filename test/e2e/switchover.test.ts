import { waitFor } from "../../components/progress";
import { switchover } from "../../drills/faults/switchovers";
import { etcdLeader, moveEtcdLeader } from "../../drills/machine/etcd-leader";
import { surviveFault, useCluster } from "./support";

describe("a switchover", () => {
    const cluster = useCluster();

    it("hands over within seconds and loses nothing", async function () {
        this.timeout(300_000);
        await surviveFault(cluster(), switchover);
    });

    it("leaves etcd's leader on another machine than the primary's, wherever it was put", async function () {
        this.timeout(120_000);
        const { machine } = await cluster().primary();
        await moveEtcdLeader(cluster(), machine);
        // Two looks, and 30 s of rest if it was moved a moment ago.
        await waitFor("etcd's leader to be moved away", 60, async () => {
            const leader = await etcdLeader(cluster());
            const isAway = leader.machine.name !== machine.name;
            return isAway ? { done: undefined } : { waiting: `${leader.name} leads on ${machine.name}` };
        });
    });
});
