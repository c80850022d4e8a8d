import type { Problem } from "./validation";

/** What the user asks for. */
export interface RecoveryObjective {
    /** Longest acceptable time without writes after the loss of a machine, in seconds. @default 16 */
    rto: number;
    /** Acknowledged writes that may be lost. Only 0 is offered: strict synchronous replication. @default 0 */
    rpo: 0;
}

/** Timers of every layer, in seconds unless the name says otherwise. */
export interface Timers {
    patroni: {
        /** Life of the leader lock without renewal. */
        ttl: number;
        /** Pause between two HA loops. */
        loopWait: number;
        /** Budget of one attempt to reach etcd, retries included. */
        retryTimeout: number;
        /** How long a crashed primary may recover in place while a healthy replica could take over. */
        primaryStartTimeout: number;
        /** How long a stopping primary may take before it is killed. */
        primaryStopTimeout: number;
    };
    etcd: { heartbeatMs: number; electionMs: number };
    haproxy: {
        interMs: number;
        fastinterMs: number;
        downinterMs: number;
        fall: number;
        rise: number;
        checkTimeoutMs: number;
    };
    replication: { walSenderTimeout: number; walReceiverTimeout: number };
}

/**
 * How long what was sent to a client may stay unacknowledged, by PostgreSQL and by HAProxy. No keepalive is sent meanwhile: a
 * client that dies while an answer is on its way would keep its session, with the locks of its transaction, for a quarter of
 * an hour. Whoever stops reading for so long is taken for dead, too (the kernel does not tell one from the other).
 */
export const unacknowledgedSeconds = 15;

/**
 * Smallest values our Patroni accepts; lower ones it raises silently (patroni/config.py, validator.py). Upstream's floor
 * of ttl is 20; ours is what one loop and two retries need (patroni/image/patches/10-ttl-floor.patch).
 */
export const patroniFloors = { ttl: 7, loopWait: 1, retryTimeout: 3 } as const;

/** From this objective on etcd elects after 1 s instead of 500 ms: slow disks then cause no needless elections. */
const relaxedElection = { fromRto: 20, electionMs: 1000 } as const;

/**
 * Worst case from the loss of the machine that holds both the primary and the etcd leader to the first write:
 * an etcd election (up to two rounds), the whole lock time anew (the new etcd leader extends every lease), etcd's
 * lease loop, the health race with its 2 s to the dead member, what another standby has received more, promotion, the
 * choice of a standby that writes wait for, HAProxy's checks, and what drills took beyond the sum of these (up to 0.6 s;
 * docs/measurements.md).
 */
export function worstCaseMachineLoss({ patroni, etcd, haproxy }: Timers): number {
    const election = (2 * etcd.electionMs) / 1000;
    const leaseLoop = 0.5;
    const raceAndPromotion = 2 + 1;
    // At most (patroni/image/patches/90-standby-that-is-ahead.patch).
    const rest = 1;
    const standby = 0.5;
    const proxy = (haproxy.downinterMs * haproxy.rise) / 1000;
    const measuredBeyond = 0.5;
    return election + patroni.ttl + leaseLoop + raceAndPromotion + rest + standby + proxy + measuredBeyond;
}

/** The timers that meet the objective; a pure function of it. */
export function deriveTimers(objective: RecoveryObjective): Timers {
    const timers: Timers = {
        patroni: {
            ttl: patroniFloors.ttl,
            // A dead postmaster is no event, only the next loop sees it: 1 s bounds that wait.
            loopWait: patroniFloors.loopWait,
            // With three etcd members a dead one costs a third of it per request, at least 1 s.
            retryTimeout: patroniFloors.retryTimeout,
            primaryStartTimeout: 0,
            primaryStopTimeout: 10,
        },
        etcd: {
            heartbeatMs: 100,
            electionMs: objective.rto >= relaxedElection.fromRto ? relaxedElection.electionMs : 500,
        },
        // A new primary is down for HAProxy until its next check: clients wait for it in every failover.
        haproxy: { interMs: 1000, fastinterMs: 500, downinterMs: 500, fall: 2, rise: 1, checkTimeoutMs: 2000 },
        replication: { walSenderTimeout: 5, walReceiverTimeout: 5 },
    };
    // A longer objective buys tolerance of starved hosts and slow etcd disks: a loop and two retries fill ttl.
    const slack = Math.floor(objective.rto - worstCaseMachineLoss(timers));
    if (slack > 0) {
        const ttl = Math.min(60, timers.patroni.ttl + slack);
        const retryTimeout = Math.min(10, Math.floor((ttl - timers.patroni.loopWait) / 2));
        timers.patroni = { ...timers.patroni, retryTimeout, ttl };
    }
    return timers;
}

/** What of the timers would be refused or silently changed further down, by field path. */
export function timerProblems({ patroni, etcd }: Timers): Problem[] {
    const problems: Problem[] = [];
    const add = (path: string, message: string) => problems.push({ path, message });
    for (const [field, floor] of Object.entries(patroniFloors) as [keyof typeof patroniFloors, number][]) {
        if (patroni[field] < floor) {
            add(
                `recovery.timers.patroni.${field}`,
                `${patroni[field]} s is below ${floor} s, to which Patroni would silently raise it; use ${floor} or more`,
            );
        }
    }
    if (patroni.loopWait + 2 * patroni.retryTimeout > patroni.ttl) {
        add(
            "recovery.timers.patroni",
            `loopWait + 2 * retryTimeout (${patroni.loopWait + 2 * patroni.retryTimeout} s) must not exceed ttl (${patroni.ttl} s), ` +
                "or Patroni silently shortens them; raise ttl or lower retryTimeout",
        );
    }
    if (etcd.electionMs < 5 * etcd.heartbeatMs) {
        add(
            "recovery.timers.etcd.electionMs",
            `${etcd.electionMs} ms is less than 5 heartbeats of ${etcd.heartbeatMs} ms, which etcd refuses; use ${5 * etcd.heartbeatMs} or more`,
        );
    }
    if (patroni.ttl * 1000 <= 1.5 * etcd.electionMs) {
        add(
            "recovery.timers.patroni.ttl",
            `${patroni.ttl} s is not above 1.5 etcd elections, below which etcd raises the lease; raise ttl`,
        );
    }
    return problems;
}

/** What is wrong with the objective itself. */
export function objectiveProblems({ rto, rpo }: RecoveryObjective): Problem[] {
    const problems: Problem[] = [];
    const shortest = Math.ceil(worstCaseMachineLoss(deriveTimers({ rto: 0, rpo: 0 })));
    if (!(rto >= shortest && rto <= 120)) {
        const why =
            rto > 120
                ? "is longer than any of the timers can be made to take"
                : `cannot be promised: Patroni's shortest lock time gives ${shortest} s in the worst case`;
        problems.push({ path: "recovery.objective.rto", message: `${rto} s ${why}; use ${shortest} to 120` });
    }
    if ((rpo as number) !== 0) {
        problems.push({
            path: "recovery.objective.rpo",
            message: `${String(rpo)} is not offered; every acknowledged write is kept, use 0`,
        });
    }
    return problems;
}
