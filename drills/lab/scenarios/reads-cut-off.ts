import { waitFor } from "../../../components/progress";
import { partsOf, type Lab } from "../lab";
import { timers } from "../member-config";
import type { Scenario } from "./scenario";

/** Four times what both need to be missed: the view of etcd lives for ttl, the stream for its receiver's timeout. */
const patienceSeconds = 4 * (timers.patroni.ttl + timers.replication.walReceiverTimeout);

const api = (number: number, path: string): string => `http://127.0.0.${number}:8008${path}`;

async function waitUntilCutOff(lab: Lab, number: number): Promise<void> {
    await waitFor(`member-${number} to be cut off`, patienceSeconds, async () => {
        const receivers = await lab.sqlOn(number, "select count(*) from pg_stat_wal_receiver");
        const status = await lab.container.run(`curl --silent --max-time 5 '${api(number, "/patroni")}'`);
        const isCutOff = receivers === "0" && (JSON.parse(status) as { cluster_unlocked?: true }).cluster_unlocked;
        return isCutOff ? { done: undefined } : { waiting: `${receivers} receiver, ${status}` };
    });
}

export const readsCutOff: Scenario = {
    name: "reads-cut-off",
    imitates: "a replica is cut off from etcd and from its primary, and a proxy asks it whether it is fit for reads",
    async run(lab) {
        const { primary, other } = await lab.roles();
        await lab.write(5);
        const away = ["etcd-1", "etcd-2", "etcd-3", ...partsOf(primary)];
        await lab.signal("STOP", ...away);
        await waitUntilCutOff(lab, other);
        const answer = await lab.container.run(
            `curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' '${api(other, "/replica?lag=1MB")}'`,
        );
        await lab.signal("CONT", ...away);
        return { note: `member-${other} answered ${answer}`, stuck: false, readsOfAnyAge: answer === "200" };
    },
};
