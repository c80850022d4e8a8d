import assert from "node:assert/strict";
import { renderHaproxyConfig, renderServerState } from "../../../components/haproxy/config";
import { deriveTimers } from "../../../components/recovery";

const instances = [0, 1, 2].map((index) => ({ name: `postgres-${index}`, address: `10.43.0.${64 + index}` }));
const input = {
    instances,
    timers: deriveTimers({ rto: 30, rpo: 0 }).haproxy,
    maxConnections: 200,
    maximumReplicaLag: "16MB",
};
const text = renderHaproxyConfig(input);

/** The lines of a section, without comments and indentation. */
function section(heading: string, config = text): string[] {
    const lines = config.split("\n");
    const start = lines.indexOf(heading);
    assert.notEqual(start, -1, `no section ${heading}`);
    const end = lines.findIndex((line, index) => index > start && /^\S/.test(line));
    return lines
        .slice(start + 1, end === -1 ? undefined : end)
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("#"));
}

const checked = instances.map(
    ({ name, address }) => `server ${name} ${address}:5432 maxconn 200 check-sni ${name} verifyhost ${name}`,
);

const isPrimary = [
    "option httpchk",
    "http-check send meth GET uri /primary ver HTTP/1.1 hdr Host patroni hdr Connection close",
    "http-check expect status 200",
    `http-check expect rstring '"role": *"primary"'`,
];

// The text alone: that HAProxy accepts and obeys it is shown by the e2e tests, where it runs.
describe("haproxy.cfg", () => {
    it("sends writes to the instance that says it is the primary, status and role", () => {
        assert.deepEqual(section("listen read-write"), [
            "bind :5432 tcp-ut 15s",
            "maxconn 400",
            ...isPrimary,
            ...checked,
        ]);
    });

    it("takes connections from those that are named, to each of its ports, and from nobody else", () => {
        const config = renderHaproxyConfig({ ...input, allowedClients: ["10.42.0.0/16", "192.0.2.7"] });
        for (const heading of ["listen read-write", "frontend read-only", "frontend stats"]) {
            const added = section(heading, config).filter((line) => !section(heading).includes(line));
            assert.deepEqual(added, [
                "acl allowed src 10.42.0.0/16",
                "acl allowed src 192.0.2.7",
                "tcp-request connection reject if !allowed",
            ]);
        }
    });

    it("matches the role as Patroni writes it, and no other", () => {
        const pattern = new RegExp(/rstring '(.*)'/.exec(text)?.[1] ?? "nothing");
        assert.match(`{"state": "running", "role": "primary", "server_version": 170000}`, pattern);
        assert.match(`{"role":"primary"}`, pattern);
        for (const role of ["replica", "standby_leader", "demoted", "primary_replica"]) {
            assert.doesNotMatch(`{"role": "${role}"}`, pattern);
        }
    });

    it("sends reads to replicas that are not too far behind, and to the primary while there is none", () => {
        assert.deepEqual(section("frontend read-only"), [
            "bind :5433 tcp-ut 15s",
            "maxconn 400",
            "use_backend primary-for-reads if { nbsrv(replicas) lt 1 }",
            "default_backend replicas",
        ]);
        assert.deepEqual(section("backend replicas"), [
            "balance leastconn",
            "option httpchk",
            "http-check send meth GET uri /replica?lag=16MB ver HTTP/1.1 hdr Host patroni hdr Connection close",
            "http-check expect status 200",
            ...checked,
        ]);
    });

    it("asks each instance once who is primary: the reads' way to it goes by what read-write was told", () => {
        assert.deepEqual(
            section("backend primary-for-reads"),
            instances.map(
                ({ name, address }) => `server ${name} ${address}:5432 maxconn 200 no-check track read-write/${name}`,
            ),
        );
    });

    it("checks Patroni over verified TLS and cuts sessions to a server that is down", () => {
        const server = section("defaults").find((line) => line.startsWith("default-server"));
        assert.equal(
            server,
            "default-server inter 1000ms fastinter 500ms downinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions " +
                "check port 8008 check-ssl verify required ca-file /tls/ca.crt",
        );
        assert.doesNotMatch(text, /verify none/);
    });

    it("starts with every server down, so that none is used before it has said what it is", () => {
        assert.ok(section("global").includes("server-state-file /etc/haproxy-config/servers.state"));
        assert.ok(section("defaults").includes("load-server-state-from-file global"));
        const [version, header = "", ...servers] = renderServerState(instances).trimEnd().split("\n");
        const names = header.replace(/^# /, "").split(" ");
        const states = servers.map((line) => {
            const values = line.split(" ");
            assert.equal(values.length, names.length);
            return Object.fromEntries(names.map((name, index) => [name, values[index]]));
        });
        assert.equal(version, "1");
        assert.deepEqual(
            states.map((state) => [state["be_name"], state["srv_name"], state["srv_addr"], state["srv_op_state"]]),
            ["read-write", "replicas"].flatMap((backend) =>
                instances.map(({ name, address }) => [backend, name, address, "0"]),
            ),
        );
    });

    it("waits no longer for a check than the derived timer says", () => {
        assert.ok(section("defaults").includes("timeout check 2000ms"));
        assert.ok(section("defaults").includes("timeout connect 2s"));
    });

    it("takes the kubelet's connections also when both its entries are full", () => {
        assert.ok(section("global").includes("maxconn 900"));
    });

    it("says what it sees on the statistics port, for people, Prometheus and the kubelet", () => {
        const stats = section("frontend stats");
        assert.deepEqual(stats, [
            "mode http",
            "bind :8404",
            "timeout client 10s",
            "stats enable",
            "stats uri /",
            "http-request use-service prometheus-exporter if { path /metrics }",
            "monitor-uri /healthz",
        ]);
    });

    it("resolves no name in the failover path", () => {
        assert.doesNotMatch(text, /resolvers|init-addr/);
    });

    it("ends with a newline, without which HAProxy refuses it", () => {
        assert.ok(text.endsWith("\n") && !text.endsWith("\n\n"));
    });
});
