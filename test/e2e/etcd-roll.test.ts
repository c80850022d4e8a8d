import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import { kubectl } from "../../drills/backup/pods";
import type { Fault } from "../../drills/faults/fault";
import { checkout } from "../../offline/checkout";
import { surviveFault, useCluster } from "./support";

/** By then Kubernetes would have taken another member away. */
const restraintMs = 20_000;

describe("another template for etcd's members while one of them is missing", () => {
    const folder = mkdtempSync(join(tmpdir(), "postgres-ha-etcd-roll-"));
    const cluster = useCluster(async (opened) => {
        rmSync(folder, { recursive: true });
        await opened.update();
    });

    interface PodList {
        items: { metadata: { name: string; uid: string } }[];
    }

    async function pods(): Promise<Record<string, string>> {
        const text = await kubectl(cluster(), "get pods --selector app.kubernetes.io/name=etcd -o json");
        return Object.fromEntries(
            (JSON.parse(text) as PodList).items.map(({ metadata }) => [metadata.name, metadata.uid]),
        );
    }

    const generation = async (): Promise<number> =>
        Number(await kubectl(cluster(), "get statefulset postgres-etcd -o jsonpath={.metadata.generation}"));

    /** An update after which etcd has this much memory, as it would be asked for in the stack's settings. */
    function updateMemory(mebibytes: number): Promise<void> {
        const name = `Pulumi.${cluster().state.stack}.yaml`;
        const settings = parse(readFileSync(join(checkout, name), "utf8")) as { config: object };
        const etcd = { resources: { cpu: "100m", memory: `${mebibytes}Mi` } };
        writeFileSync(
            join(folder, name),
            stringify({ ...settings, config: { ...settings.config, "postgres-ha:etcd": etcd } }),
        );
        return cluster().update("--config-file", join(folder, name));
    }

    let memory = 256;
    let touched: string[] = [];
    const roll: Fault = {
        name: "etcd-roll",
        imitates: "an update that restarts etcd's members comes while the machine of one takes no pods",
        bar: "unaffected",
        failover: "forbidden",
        async prepare() {
            const [missing] = cluster().state.etcdMembers;
            assert.ok(missing);
            const { machine } = await cluster().place(missing.name);
            memory += 8;
            let updated = Promise.resolve();
            return {
                target: missing.name,
                async inject() {
                    const before = await generation();
                    await kubectl(cluster(), `cordon ${machine.name}`);
                    await kubectl(cluster(), `delete pod ${missing.name}`);
                    const others = await pods();
                    updated = updateMemory(memory);
                    // Awaited when it is let go on.
                    updated.catch(() => undefined);
                    while ((await generation()) === before) await sleep(500);
                    await sleep(restraintMs);
                    const now = await pods();
                    touched = Object.keys(others).filter((name) => name !== missing.name && now[name] !== others[name]);
                },
                async heal() {
                    await kubectl(cluster(), `uncordon ${machine.name}`);
                    await updated;
                },
            };
        },
    };

    it("restarts none of the others, then each in turn, and no client notices", async function () {
        this.timeout(900_000);
        const before = await pods();
        await surviveFault(cluster(), roll);
        assert.deepEqual(touched, []);
        const after = await pods();
        const kept = Object.keys(before).filter((name) => before[name] === after[name]);
        assert.deepEqual(kept, [], "not restarted with the new template");
    });
});
