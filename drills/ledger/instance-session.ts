import { Session, type Entry } from "../../commands/status/session";
import type { Tunnel } from "../../commands/status/tunnel";
import { ports } from "../../components/naming";

export interface InstanceAccess {
    tunnel: Tunnel;
    instances: { name: string; address: string }[];
    /** Whose user, password and authority are used; its host is not. */
    entry: Entry;
}

/**
 * A session on one instance, past the proxies: they would hide which it is. Its own address exists only inside the cluster,
 * hence the tunnel; TLS is verified against the instance's own name.
 */
export async function openInstance(
    { tunnel, entry }: InstanceAccess,
    { name, address }: { name: string; address: string },
    limits: { applicationName: string; statementTimeoutMs: number },
): Promise<Session> {
    const stream = await tunnel.connect(address, ports.postgresql, 2000);
    return Session.open(
        { ...entry, host: name, port: ports.postgresql },
        { ...limits, connectTimeoutMs: 2000, stream },
    );
}
