import { Session, type Entry } from "../../commands/status/session";
import type { Tunnel } from "../../commands/status/tunnel";
import { instanceSetting, ports } from "../../components/naming";

export interface InstanceAccess {
    tunnel: Tunnel;
    instances: { name: string; address: string }[];
    /** Whose user, password and authority are used; its host is not. */
    entry: Entry;
}

export interface InstanceLimits {
    applicationName: string;
    statementTimeoutMs: number;
    /** Of the stream and then of the greeting. */
    connectTimeoutMs?: number;
}

/**
 * A session on one instance, past the proxies: they would hide which it is. Its own address exists only inside the cluster,
 * hence the tunnel. All instances share one certificate, and after the loss of a machine the address of its pod may belong
 * to another one, a proxy even, before every node knows: so the instance says itself who it is.
 */
export async function openInstance(
    { tunnel, entry }: InstanceAccess,
    { name, address }: { name: string; address: string },
    { connectTimeoutMs = 2000, ...limits }: InstanceLimits,
): Promise<Session> {
    const stream = await tunnel.connect(address, ports.postgresql, connectTimeoutMs);
    const session = await Session.open(
        { ...entry, host: name, port: ports.postgresql },
        { ...limits, connectTimeoutMs, stream },
    );
    try {
        const { rows } = await session.query<{ name: string | null }>("select current_setting($1, true) as name", [
            instanceSetting,
        ]);
        const answered = rows[0]?.name ?? "an instance that does not know its name (run pulumi up)";
        if (answered !== name) {
            throw new Error(`${name} was asked at ${address}, and ${answered} answered`);
        }
        return session;
    } catch (error) {
        session.destroy();
        throw error;
    }
}
