import { askJson } from "../../components/https";
import { ports } from "../../components/naming";
import type { Member } from "../../components/patroni/api";
import type { StackState } from "./stack-state";
import type { Tunnel } from "./tunnel";

export interface InstanceStatus {
    name: string;
    /** Its own REST API answers now. Patroni's list keeps a dead member until its key expires. */
    answers: boolean;
    role: "primary" | "replica" | "unknown";
    state: string;
    timeline?: number;
    /** Bytes it is behind the primary. */
    lag?: number | string;
    synchronous: boolean;
    pendingRestart: boolean;
}

/** What a person may have changed past the program. */
export interface PatroniSettings {
    /** Nothing is promoted, demoted or restarted by itself. */
    paused: boolean;
    /** Writes wait for a standby even when none is left. */
    strict: boolean;
    /** Standbys that a commit waits for, as far as they stream. */
    synchronousStandbys: number;
}

/** PostgreSQL instances as Patroni sees them, each also asked itself. */
export async function probeInstances(state: StackState, tunnel: Tunnel, timeoutMs = 4000): Promise<InstanceStatus[]> {
    const question = questions(state, tunnel, timeoutMs);
    const lists = state.instances.map(({ address }) => question<{ members: Member[] }>(address, "/cluster"));
    const own = state.instances.map(({ address }) =>
        question<{ state: string }>(address, "/patroni").then(
            () => true,
            // 503: it answers, and says that PostgreSQL is not running.
            (error: Error) => error.message.includes("status 503"),
        ),
    );
    const { members } = await Promise.any(lists).catch(() => ({ members: [] as Member[] }));
    const answers = await Promise.all(own);
    return state.instances.map(({ name }, index) =>
        describeInstance(
            name,
            answers[index] ?? false,
            members.find((member) => member.name === name),
        ),
    );
}

export async function probePatroni(
    state: StackState,
    tunnel: Tunnel,
    timeoutMs = 4000,
): Promise<PatroniSettings | undefined> {
    const question = questions(state, tunnel, timeoutMs);
    const configs = state.instances.map(({ address }) => question<PatroniConfig>(address, "/config"));
    const config = await Promise.any(configs).catch(() => undefined);
    return config && describeSettings(config);
}

interface PatroniConfig {
    pause?: boolean;
    synchronous_mode?: boolean | string;
    synchronous_mode_strict?: boolean;
    synchronous_node_count?: number;
}

/** `quorum` is not strict: it loses what was acknowledged when two instances hang at once (docs/decisions/007). */
export function describeSettings(config: PatroniConfig): PatroniSettings {
    const isOn = config.synchronous_mode === true || config.synchronous_mode === "on";
    return {
        paused: config.pause === true,
        strict: isOn && config.synchronous_mode_strict === true,
        synchronousStandbys: config.synchronous_node_count ?? 1,
    };
}

const questions =
    (state: StackState, tunnel: Tunnel, timeoutMs: number) =>
    async <Answer>(host: string, path: string): Promise<Answer> => {
        const stream = await tunnel.connect(host, ports.patroni, timeoutMs);
        return askJson<Answer>({
            host,
            port: ports.patroni,
            path,
            tls: { ca: state.patroniAuthority },
            stream,
            timeoutMs,
        });
    };

export function describeInstance(name: string, answers: boolean, member: Member | undefined): InstanceStatus {
    const role = member === undefined ? "unknown" : member.role === "leader" ? "primary" : "replica";
    return {
        name,
        answers,
        role,
        state: member === undefined ? "not a member" : answers ? member.state : `no answer (last: ${member.state})`,
        timeline: member?.timeline,
        lag: role === "replica" ? member?.lag : undefined,
        synchronous: member?.role === "sync_standby",
        pendingRestart: member?.pending_restart ?? false,
    };
}
