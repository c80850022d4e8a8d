import { setTimeout as sleep } from "node:timers/promises";
import { ports } from "../../components/naming";
import { versions } from "../../components/versions";
import type { Cluster, MachineOf } from "../cluster";
import { readCpuTicks, stolenShare } from "../host-steal";
import { inInstance } from "./instance";
import { ledgerInsert, ledgerTable, loads, type Case, type Measurement, type Path } from "./load";
import { coresBetween, Parts } from "./parts";
import { parsePgbench } from "./pgbench-output";

const folder = "/tmp/bench";
/** In memory. */
const passwordFile = "/dev/shm/bench.pgpass";
const program = `/usr/lib/postgresql/${versions.postgresql}/bin/pgbench`;

/**
 * pgbench in the pod of the asynchronous replica: beside the cluster's network, with the image's own version, and not
 * on the primary. On real machines its CPU is the replica's, which no commit waits for.
 */
export class Pgbench {
    private constructor(
        private readonly cluster: Cluster,
        private readonly from: MachineOf,
        private readonly primary: string,
        private readonly parts: Parts,
    ) {}

    static async prepare(cluster: Cluster, scale: number): Promise<Pgbench> {
        const from = cluster.machineOf(await cluster.asynchronousReplica());
        const bench = new Pgbench(cluster, from, (await cluster.primary()).name, await Parts.find(cluster));
        try {
            await bench.writeFiles();
            await bench.inPod(
                `psql --quiet --set ON_ERROR_STOP=1 --command 'drop schema if exists bench cascade' --command 'create schema bench' ` +
                    `--command '${ledgerTable}' && ${program} --initialize --quiet --scale=${scale}`,
                "direct",
                600,
            );
        } catch (error) {
            await bench.removeFiles();
            throw error;
        }
        return bench;
    }

    /** The tables go; they may be large. */
    async clean(): Promise<void> {
        try {
            await this.inPod("psql --quiet --command 'drop schema if exists bench cascade'", "direct", 60);
        } finally {
            await this.removeFiles();
        }
    }

    /** Fails where what was measured is not what its name says: who leads, or whom no commit waits for, has changed. */
    async assertPlaced(): Promise<void> {
        const now = [(await this.cluster.primary()).name, (await this.cluster.asynchronousReplica()).name];
        const then = [this.primary, this.from.name];
        if (now.join() !== then.join()) {
            throw new Error(
                `primary and asynchronous replica were ${then.join(" and ")}, and are ${now.join(" and ")}`,
            );
        }
    }

    async measure(kase: Case, seconds: number): Promise<Measurement> {
        const load = loads.find(({ name }) => name === kase.load);
        const threads = Math.min(kase.clients, 2);
        const command =
            `rm -f ${folder}/log.*; ${program} ${load?.options} --no-vacuum --client=${kase.clients} --jobs=${threads} ` +
            `--time=${seconds} --log --log-prefix=${folder}/log && cat ${folder}/log.* | awk '{ print $3 }' | sort -n > ${folder}/times && ` +
            `for p in 50 95 99; do echo "p$p $(awk -v p=$p 'NR == FNR { n = NR; next } FNR == int((n * p + 99) / 100) { print; exit }' ${folder}/times ${folder}/times)"; done`;
        const ticks = readCpuTicks();
        const running = this.inPod(command, kase.path, seconds + 120, kase.durability === "asynchronous");
        const using = this.useInTheMiddle(seconds);
        // Not beside what is measured next.
        await Promise.allSettled([running, using]);
        const [text, use] = [await running, await using];
        return { ...kase, ...parsePgbench(text), ...use, stolenShare: stolenShare(ticks, readCpuTicks()) };
    }

    /** Neither while clients connect, which the load's time begins with, nor while its log is counted after it. */
    private async useInTheMiddle(seconds: number): Promise<Pick<Measurement, "cores" | "memory">> {
        const margin = Math.min(2000, seconds * 250);
        const begun = performance.now();
        const readAt = async (ms: number) => {
            await sleep(Math.max(0, begun + ms - performance.now()));
            const [begin, parts, end] = [performance.now(), await this.parts.counters(), performance.now()];
            return { at: (begin + end) / 2, parts };
        };
        const before = await readAt(margin);
        const after = await readAt(seconds * 1000 - margin);
        return {
            cores: coresBetween(before.parts, after.parts, (after.at - before.at) / 1000),
            memory: Object.fromEntries(Object.entries(after.parts).map(([part, { memory }]) => [part, memory])),
        };
    }

    /** The password is never in argv. */
    private async writeFiles(): Promise<void> {
        const [entry] = this.cluster.readWrite;
        await this.exec(`umask 077; mkdir -p ${folder}; cat > ${passwordFile}`, 20, `*:*:*:*:${entry?.password}\n`);
        await this.exec(`cat > ${folder}/ca.crt`, 20, entry?.ca);
        await this.exec(`cat > ${folder}/ledger-insert.sql`, 20, ledgerInsert);
    }

    private async removeFiles(): Promise<void> {
        await this.exec(`rm -rf ${folder} ${passwordFile}`, 20);
    }

    private inPod(command: string, path: Path, timeoutSeconds: number, asynchronous = false): Promise<string> {
        const environment = {
            ...this.target(path),
            PGUSER: this.cluster.readWrite[0]?.user ?? "",
            PGDATABASE: this.cluster.readWrite[0]?.database ?? "",
            PGPASSFILE: passwordFile,
            PGSSLMODE: "verify-full",
            PGSSLROOTCERT: `${folder}/ca.crt`,
            PGOPTIONS: `-c search_path=bench -c synchronous_commit=${asynchronous ? "local" : "on"}`,
        };
        const assignments = Object.entries(environment).map(([key, value]) => `export ${key}='${value}'`);
        return this.exec(`${assignments.join("; ")}; ${command}`, timeoutSeconds);
    }

    private target(path: Path): Record<string, string> {
        if (path === "haproxy") {
            return { PGHOST: this.from.machine.access.address, PGPORT: String(ports.readWrite) };
        }
        const address = this.cluster.state.instances.find(({ name }) => name === this.primary)?.address ?? "";
        return { PGHOST: this.primary, PGHOSTADDR: address, PGPORT: String(ports.postgresql) };
    }

    private exec(script: string, timeoutSeconds: number, input?: string): Promise<string> {
        return inInstance(this.from.ssh, script, timeoutSeconds, input);
    }
}
