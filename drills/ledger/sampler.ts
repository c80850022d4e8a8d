import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "../../commands/status/session";
import { openInstance, type InstanceAccess } from "./instance-session";
import { now } from "./operation";
import { insertSample } from "./table";
import { overlaps, type Acceptance, type Overlap } from "./two-primaries";

const everyMs = 200;

/**
 * silent: no answer at all; refusing: it answers, but neither accepts a write nor says that it is read-only; waiting: it takes
 * itself for the primary, and does not acknowledge.
 */
export type SampledRole = "primary" | "replica" | "refusing" | "waiting" | "silent";

export interface RoleChange {
    instance: string;
    at: number;
    role: SampledRole;
}

const limits = { applicationName: "drills sampler", statementTimeoutMs: 2000, connectTimeoutMs: 4000 };
/** From one attempt that hangs to the next beside it. */
const nextAttemptMs = 1000;

/** Tries a real insert on each instance by itself, past the proxies: they would hide a second primary. */
export class Sampler {
    readonly acceptances: Acceptance[] = [];
    /** What each instance said of itself, a new entry whenever it says something else. */
    readonly roles: RoleChange[] = [];
    /** When each instance gave an answer of any kind: a sampler that reached nobody proves nothing. */
    private readonly answers: Map<string, number[]>;
    private readonly current = new Map<string, SampledRole>();
    private stopped = false;
    private readonly loops: Promise<void>[];

    constructor(
        private readonly options: InstanceAccess,
        private readonly open = openInstance,
    ) {
        this.answers = new Map(options.instances.map(({ name }) => [name, []]));
        this.loops = options.instances.map((instance) => this.sample(instance));
    }

    async finish(): Promise<Overlap[]> {
        this.stopped = true;
        await Promise.all(this.loops);
        return overlaps(this.acceptances);
    }

    /** How often each instance answered since then. */
    answersSince(time: number): Record<string, number> {
        const counts = [...this.answers].map(
            ([name, times]) => [name, times.filter((at) => at >= time).length] as const,
        );
        return Object.fromEntries(counts);
    }

    private async sample(instance: { name: string; address: string }): Promise<void> {
        let session: Session | undefined;
        while (!this.stopped) {
            const begin = now();
            let isOpen = false;
            try {
                session = session === undefined || session.isBroken ? await this.reach(instance) : session;
                if (session === undefined) break;
                if (await isInRecovery(session)) {
                    this.count(instance.name, "replica");
                    await sleep(Math.max(0, begin + everyMs - now()));
                    continue;
                }
                isOpen = true;
                const sent = now();
                const { rows } = await session.query<{ timeline: number }>(insertSample, [instance.name]);
                const timeline = rows[0]?.timeline ?? 0;
                this.acceptances.push({ instance: instance.name, begin: sent, end: now(), timeline });
                this.count(instance.name, "primary");
            } catch (error) {
                this.note(instance.name, roleOf(error, isOpen ? "waiting" : "silent"));
                session?.destroy();
                session = undefined;
            }
            await sleep(Math.max(0, begin + everyMs - now()));
        }
        session?.close();
    }

    /**
     * Attempts side by side: one that hangs since the instance stood still may hang for seconds after it goes on, and what the
     * instance accepts in these seconds must not go unseen. `undefined` when the sampler has ended.
     */
    private async reach(instance: { name: string; address: string }): Promise<Session | undefined> {
        let reached: Session | undefined;
        const isOver = (): boolean => this.stopped || reached !== undefined;
        const attempt = async (): Promise<void> => {
            const session = await this.open(this.options, instance, limits);
            if (isOver()) session.destroy();
            else reached = session;
        };
        const attempts = new Set<Promise<void>>();
        while (!isOver()) {
            const begun = attempt().catch(async (error: unknown) => {
                if (!isOver()) this.note(instance.name, roleOf(error));
                await sleep(everyMs);
            });
            attempts.add(begun);
            void begun.then(() => attempts.delete(begun));
            await Promise.race([...attempts, sleep(nextAttemptMs)]);
        }
        return reached;
    }

    private count(instance: string, role: SampledRole): void {
        this.answers.get(instance)?.push(now());
        this.note(instance, role);
    }

    private note(instance: string, role: SampledRole): void {
        if (this.current.get(instance) !== role) {
            this.current.set(instance, role);
            this.roles.push({ instance, at: now(), role });
        }
    }
}

/** Of an instance that gave this error: with a code it is PostgreSQL's own. */
const roleOf = (error: unknown, unanswered: SampledRole = "silent"): SampledRole =>
    (error as { code?: string }).code !== undefined ? "refusing" : unanswered;

/** Asked first: a refused insert every 200 ms would drown the logs that a drill is explained with. */
async function isInRecovery(session: Session): Promise<boolean> {
    const { rows } = await session.query<{ recovering: boolean }>("select pg_is_in_recovery() as recovering");
    return rows[0]?.recovering ?? false;
}
