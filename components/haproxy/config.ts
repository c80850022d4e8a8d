import { ports } from "../naming";
import { unacknowledgedSeconds, type Timers } from "../recovery";

export interface HaproxyConfigInput {
    instances: { name: string; address: string }[];
    timers: Timers["haproxy"];
    maxConnections: number;
    /** Bytes a replica may be behind to get reads. */
    maximumReplicaLag: string;
    /** Blocks and addresses from which connections are taken; undefined: from everywhere. */
    allowedClients?: string[];
}

/** Where the authority that signs Patroni's certificates is mounted. */
export const haproxyTls = "/tls";
/** Where haproxy.cfg is mounted, and what it reads beside. */
export const haproxyFolder = "/etc/haproxy-config";
export const serverStateFile = "servers.state";

/** Twice what an instance takes: as many may wait. */
const clientsPerEntry = (maxConnections: number): number => 2 * maxConnections;

/** Of a proxy: both entries, and the checks beside them. */
export const mostConnections = (maxConnections: number): number => 2 * clientsPerEntry(maxConnections) + 100;

/**
 * haproxy.cfg. Fixed addresses, no DNS; the role is asked of Patroni over verified TLS and matched in the body,
 * because `/primary` says 200 as soon as the lock is held, before the promotion has ended.
 */
export function renderHaproxyConfig(input: HaproxyConfigInput): string {
    const { timers, instances, maxConnections } = input;
    const perEntry = clientsPerEntry(maxConnections);
    const servers = (options: (name: string) => string) =>
        instances
            .map(({ name, address }) => {
                const server = `server ${name} ${address}:${ports.postgresql} maxconn ${maxConnections}`;
                return `    ${server} ${options(name)}`;
            })
            .join("\n");
    // A line each: HAProxy takes 64 words. Before anything is read, so that a stranger holds no session.
    const allowed = (input.allowedClients ?? []).map((block) => `    acl allowed src ${block}\n`).join("");
    const onlyAllowed =
        input.allowedClients === undefined ? "" : `${allowed}    tcp-request connection reject if !allowed\n`;
    const checked = servers((name) => `check-sni ${name} verifyhost ${name}`);
    const tracking = servers((name) => `no-check track read-write/${name}`);
    const check = (uri: string, ...expectations: string[]) =>
        [
            "    option httpchk",
            `    http-check send meth GET uri ${uri} ver HTTP/1.1 hdr Host patroni hdr Connection close`,
            ...expectations.map((expectation) => `    http-check expect ${expectation}`),
        ].join("\n");
    return `global
    # Beyond what clients may take, so that a storm of them does not keep the kubelet out, which would end the proxy.
    maxconn ${mostConnections(maxConnections)}
    log stdout format raw daemon notice
    # A reload or stop ends within this; sessions that outlive it are cut.
    hard-stop-after 30s
    server-state-file ${haproxyFolder}/${serverStateFile}

defaults
    mode tcp
    log global
    timeout connect 2s
    timeout client 24h
    timeout server 24h
    timeout check ${timers.checkTimeoutMs}ms
    option clitcpka
    clitcpka-idle 5s
    clitcpka-intvl 2s
    clitcpka-cnt 3
    option srvtcpka
    srvtcpka-idle 5s
    srvtcpka-intvl 2s
    srvtcpka-cnt 3
    option redispatch 1
    retries 3
    load-server-state-from-file global
    # Sessions to a server that is no longer what it was are cut at once: a client on a frozen primary would hang.
    default-server inter ${timers.interMs}ms fastinter ${timers.fastinterMs}ms downinter ${timers.downinterMs}ms fall ${timers.fall} rise ${timers.rise} on-marked-down shutdown-sessions check port ${ports.patroni} check-ssl verify required ca-file ${haproxyTls}/ca.crt

listen read-write
    bind :${ports.readWrite} tcp-ut ${unacknowledgedSeconds}s
    maxconn ${perEntry}
${onlyAllowed}${check("/primary", "status 200", `rstring '"role": *"primary"'`)}
${checked}

frontend read-only
    bind :${ports.readOnly} tcp-ut ${unacknowledgedSeconds}s
    maxconn ${perEntry}
${onlyAllowed}    use_backend primary-for-reads if { nbsrv(replicas) lt 1 }
    default_backend replicas

backend replicas
    balance leastconn
${check(`/replica?lag=${input.maximumReplicaLag}`, "status 200")}
${checked}

# Reads go on while no replica is fit for them. Who is primary, read-write has asked.
backend primary-for-reads
${tracking}

frontend stats
    mode http
    bind :${ports.haproxyStats}
${onlyAllowed}    timeout client 10s
    stats enable
    stats uri /
    http-request use-service prometheus-exporter if { path /metrics }
    monitor-uri /healthz
`;
}

/**
 * The state that a proxy starts from ("show servers state", version 1): every server down until its first check has passed.
 * Otherwise all are taken for up until then, and writes go to replicas.
 */
export function renderServerState(instances: HaproxyConfigInput["instances"]): string {
    const checkedBackends = ["read-write", "replicas"];
    const servers = checkedBackends.flatMap((backend) =>
        instances.map(({ name, address }, index) => ({
            be_id: 0,
            be_name: backend,
            srv_id: index + 1,
            srv_name: name,
            srv_addr: address,
            srv_op_state: 0,
            srv_admin_state: 0,
            srv_uweight: 1,
            srv_iweight: 1,
            srv_time_since_last_change: 0,
            srv_check_status: 6,
            srv_check_result: 0,
            srv_check_health: 0,
            srv_check_state: 6,
            srv_agent_state: 0,
            bk_f_forced_id: 0,
            srv_f_forced_id: 0,
            srv_fqdn: "-",
            srv_port: ports.postgresql,
            srvrecord: "-",
            srv_use_ssl: 0,
            srv_check_port: ports.patroni,
            srv_check_addr: "-",
            srv_agent_addr: "-",
            srv_agent_port: 0,
        })),
    );
    const lines = servers.map((server) => Object.values(server).join(" "));
    return `1\n# ${Object.keys(servers[0] ?? {}).join(" ")}\n${lines.join("\n")}\n`;
}
