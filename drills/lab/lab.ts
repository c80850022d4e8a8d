import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../components/progress";
import { versions } from "../../components/versions";
import { LabContainer } from "./container";
import { endpoints, prefix, readEtcd, type EtcdView } from "./etcd-view";
import { memberConfig, timers, type Different } from "./member-config";

const numbers = [1, 2, 3];

export const numberOf = (member: string): number => Number(member.split("-").at(-1));

/** For signals: Patroni and PostgreSQL of a member. */
export const partsOf = (number: number): string[] => [`patroni-${number}`, `postgresql-${number}`];

/** The data directory of a member. */
export const dataOf = (number: number): string => `/lab/data/patroni-${number}/pgdata`;

const addressesOf = (members: number[]): string => members.map((number) => `127.0.0.${number}`).join(",");

/** The three members by what they do. */
export interface Roles {
    primary: number;
    synchronous: number;
    other: number;
}

/**
 * Three etcd, three Patroni and three PostgreSQL on loopback in one container, Patroni with the patches named and no
 * others. It shows what the members decide; it says nothing about Kubernetes, networks or disks.
 */
export class Lab {
    private constructor(readonly container: LabContainer) {}

    static async start(patches: string[], different: Different = {}): Promise<Lab> {
        const lab = new Lab(await LabContainer.start());
        try {
            const applied = patches.map((number) => `patch --strip 1 < /lab/patches/${number}-*.patch`);
            await lab.container.run(
                ["set -e", "cp -r /lab/released /lab/data/python", "cd /lab/data/python", ...applied].join("; "),
            );
            const environment = {
                HEARTBEAT_MS: String(timers.etcd.heartbeatMs),
                ELECTION_MS: String(timers.etcd.electionMs),
            };
            await lab.container.run("for number in 1 2 3; do lab-member etcd $number; done", { environment });
            for (const number of numbers) {
                await lab.container.run(`lab-member patroni ${number}`, { stdin: memberConfig(number, different) });
            }
            await lab.whole();
            await lab.sql("create table ledger (id uuid primary key)");
            // As post-bootstrap does: clients whose writes wait take all other connections.
            await lab.sql("grant pg_use_reserved_connections, pg_read_all_stats to rewind");
            return lab;
        } catch (error) {
            const logs = await lab.logs().catch(() => "");
            await lab.remove();
            throw new Error(`the lab did not come up: ${(error as Error).message}\n${logs}`, { cause: error });
        }
    }

    remove(): Promise<void> {
        return this.container.remove();
    }

    logs(lines = 400): Promise<string> {
        return this.container.run(`tail -v -n ${lines} /lab/data/patroni-*/log /lab/data/etcd-*/log`);
    }

    /** The command that prints what this Patroni logs from now on. */
    async patroniLogFromNow(number: number): Promise<string> {
        const log = `/lab/data/patroni-${number}/log`;
        const lines = Number(await this.container.run(`wc -l < ${log}`));
        return `tail -n +${lines + 1} ${log}`;
    }

    /** STOP, CONT or KILL to all processes of `patroni-1`, `postgresql-1`, `etcd-1`. */
    async signal(name: "STOP" | "CONT" | "KILL", ...parts: string[]): Promise<void> {
        await this.container.run(`lab-signal ${name} ${parts.join(" ")}`);
    }

    async startPatroni(number: number): Promise<void> {
        await this.container.run(`lab-member patroni ${number} < /dev/null`);
    }

    /** The wall clock of this Patroni, not of its PostgreSQL, is off by so many seconds from now on. */
    async setClock(number: number, seconds: number): Promise<void> {
        const file = `/lab/data/patroni-${number}/clock`;
        await this.container.run(`echo ${seconds} > ${file}.new && mv ${file}.new ${file}`);
    }

    view(members = numbers): Promise<EtcdView> {
        return readEtcd(this.container, members);
    }

    /** The etcd member from which this Patroni hears of changes. */
    async etcdOf(number: number): Promise<number> {
        const connected = await this.container.run(
            `python3 -c "import psutil; print(*{c.raddr.ip for c in psutil.Process(int(open('/lab/data/patroni-${number}/pid').read())).net_connections() if c.raddr and c.raddr.port == 2379})"`,
        );
        const [first] = connected.split(" ");
        return Number(first?.split(".").at(-1));
    }

    async roles(): Promise<Roles> {
        const { leader = "", sync } = await this.view();
        const primary = numberOf(leader);
        const synchronous = numberOf(sync?.sync_standby ?? "");
        return { primary, synchronous, other: 6 - primary - synchronous };
    }

    /** Whole: one primary, which /sync names with a standby, two streaming replicas, one timeline. */
    whole(timeoutSeconds = 300): Promise<void> {
        return waitFor(
            "the lab's cluster",
            timeoutSeconds,
            async () => {
                const view = await this.view().catch((error: unknown) => (error as Error).message);
                if (typeof view === "string") {
                    return { waiting: view };
                }
                return isWhole(view) ? { done: undefined } : { waiting: JSON.stringify(view) };
            },
            300,
        );
    }

    /** On the primary, through whichever of these members it is. */
    sql(statement: string, hosts = numbers): Promise<string> {
        return this.psql(`host=${addressesOf(hosts)} target_session_attrs=read-write`, statement);
    }

    /** On one member, a standby too. */
    sqlOn(number: number, statement: string): Promise<string> {
        return this.psql(`host=127.0.0.${number}`, statement);
    }

    private psql(target: string, statement: string): Promise<string> {
        return this.container.run(
            `timeout 60 psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 ` +
                `"${target} user=postgres dbname=postgres connect_timeout=5"`,
            { stdin: statement },
        );
    }

    /** Writes so many rows, each acknowledged, through these members; rows of earlier calls count too. */
    async write(rows: number, hosts = numbers): Promise<void> {
        await this.container.run(`timeout 300 lab-write ${rows} ${addressesOf(hosts)}`);
    }

    /** As many rows as these members acknowledge in that time. */
    async writeFor(seconds: number, hosts: number[]): Promise<void> {
        await this.container.run(`timeout ${seconds} lab-write 100000 ${addressesOf(hosts)} || true`);
    }

    /** Acknowledged rows that are not there. What was lost once is not counted again. */
    async takeLost(): Promise<{ acknowledged: number; lost: number }> {
        const acknowledged = (await this.container.run("cat /lab/data/acknowledged")).split("\n");
        const present = new Set((await this.sql("select id from ledger")).split("\n"));
        const kept = acknowledged.filter((id) => present.has(id));
        await this.container.run("cat > /lab/data/acknowledged", { stdin: kept.map((id) => `${id}\n`).join("") });
        return { acknowledged: acknowledged.length, lost: acknowledged.length - kept.length };
    }

    etcdctl(command: string, members = numbers): Promise<string> {
        return this.container.run(`etcdctl --endpoints ${endpoints(members)} --command-timeout 15s ${command}`);
    }

    /**
     * What these standbys do not receive: their WAL receivers are frozen meanwhile and end when they are thawed, so that
     * nothing is read that the kernel still holds.
     */
    async whileNotReceiving(standbys: number[], act: () => Promise<void>): Promise<void> {
        const asked = standbys.map((number) => this.sqlOn(number, "select pid from pg_stat_wal_receiver"));
        const receivers = (await Promise.all(asked)).join(" ");
        await this.container.run(`kill -s STOP ${receivers}`);
        await act();
        await this.container.run(`kill -s TERM ${receivers}; kill -s CONT ${receivers}`);
    }

    /** How often this member was rewound, as its log has it. */
    async rewinds(number: number): Promise<number> {
        return Number(
            await this.container.run(`grep -c 'pg_rewind exit code=0' /lab/data/patroni-${number}/log || true`),
        );
    }

    /** The first record of this member's timeline, with the time of the promotion; `undefined` if it has not got it. */
    async beginning(number: number): Promise<string | undefined> {
        const record = await this.container.run(
            `cd ${dataOf(number)}/pg_wal && newest=$(ls *.history | tail -n 1) && ` +
                `/usr/lib/postgresql/${versions.postgresql}/bin/pg_waldump --path . --limit 1 ` +
                `--timeline $((16#\${newest%.history})) ` +
                `--start $(awk 'NF { fork = $2 } END { print fork }' $newest) 2> /dev/null || true`,
        );
        return record === "" ? undefined : record;
    }

    /** By which a data directory is known again; empty while there is none. */
    inode(number: number): Promise<string> {
        return this.container.run(`stat --format %i ${dataOf(number)} 2> /dev/null || true`);
    }

    /** Patroni, which does not run, starts without a data directory. */
    async beginAnew(number: number): Promise<void> {
        await this.container.run(`rm -rf ${dataOf(number)}`);
        await this.startPatroni(number);
    }

    /** As a person would who has understood that this member is past mending: its data directory is thrown away. */
    async remake(number: number): Promise<void> {
        await this.signal("KILL", ...partsOf(number));
        await this.beginAnew(number);
    }

    /** The lock vanishes with the lease under it. */
    async dropLock(members: number[]): Promise<void> {
        const { leaderLease } = await this.view(members);
        if (leaderLease !== undefined) {
            await this.etcdctl(`lease revoke ${leaderLease}`, members);
        }
        await this.etcdctl(`del ${prefix}leader`, members);
    }
}

/** Until this member holds the lock and says that it is the primary. */
export async function waitForPromotion(lab: Lab, number: number): Promise<void> {
    const name = `member-${number}`;
    await waitFor(
        `the promotion of ${name}`,
        300,
        async () => {
            const { leader, members } = await lab.view();
            const done = leader === name && members[name]?.role === "primary";
            return done ? { done: undefined } : { waiting: `the lock has ${leader ?? "nobody"}` };
        },
        100,
    );
}

/** Four times what it should take until a primary has given way. */
const givingWayMs = 4 * (timers.patroni.ttl + timers.patroni.loopWait) * 1000;

/** Whoever else leads as a primary within this time; `undefined` if nobody does. */
export async function successorOf(lab: Lab, primary: number, patienceMs = givingWayMs): Promise<string | undefined> {
    for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(200)) {
        const { leader, members } = await lab.view();
        if (leader !== undefined && numberOf(leader) !== primary && members[leader]?.role === "primary") return leader;
    }
    return undefined;
}

function isWhole({ leader, sync, members }: EtcdView): boolean {
    const all = Object.entries(members);
    const [primary] = all.filter(([, { role }]) => role === "primary");
    const replicas = all.filter(([, { role }]) => role === "replica");
    return (
        primary !== undefined &&
        primary[0] === leader &&
        sync?.leader === leader &&
        replicas.length === numbers.length - 1 &&
        replicas.some(([name]) => sync?.sync_standby?.split(",").includes(name)) &&
        replicas.every(([, member]) => member.replication_state === "streaming") &&
        new Set(all.map(([, { timeline }]) => timeline)).size === 1
    );
}
