import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { askJson } from "../../components/https";
import { ports } from "../../components/naming";
import { measured, useCluster } from "./support";

/** What a Secret needs to reach a pod (the kubelet looks once a minute) and to be noticed there. */
const takeUpMs = 200_000;
const renewed = [
    "postgres-patroni-server",
    "postgres-patroni-api",
    "postgres-patroni-etcd-client",
    "postgres-etcd-member",
    "postgres-pgbackrest-server",
];

async function serialOf(stream: Duplex, startTls: boolean): Promise<string> {
    if (startTls) {
        // PostgreSQL's SSLRequest; "S": go on with TLS.
        stream.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
        await once(stream, "readable");
        assert.equal((stream.read(1) as Buffer).toString(), "S");
    }
    const socket = connect({ socket: stream, rejectUnauthorized: false });
    try {
        await once(socket, "secureConnect");
        return socket.getPeerCertificate().serialNumber;
    } finally {
        socket.destroy();
        stream.destroy();
    }
}

describe("renewed certificates", () => {
    const cluster = useCluster();

    /**
     * Serial numbers as PostgreSQL, Patroni and pgBackRest of every instance and every member of etcd show them; undefined where none
     * was shown: Patroni's REST API listens anew with its new certificate.
     */
    async function shown(): Promise<Record<string, string | undefined>> {
        const { state, tunnel } = cluster();
        const questions = [
            ...state.instances.flatMap(({ name, address }) => [
                { what: `${name} PostgreSQL`, address, port: ports.postgresql },
                { what: `${name} Patroni`, address, port: ports.patroni },
                { what: `${name} pgBackRest`, address, port: ports.pgBackRest },
            ]),
            ...state.etcdMembers.map(({ name, address }) => ({ what: name, address, port: ports.etcdClient })),
        ];
        const answers = questions.map(async ({ what, address, port }) => {
            const serial = tunnel
                .connect(address, port, 5000)
                .then((stream) => serialOf(stream, port === ports.postgresql))
                .catch((error: unknown) => void console.log(`${what}: ${(error as Error).message}`));
            return [what, (await serial) ?? undefined] as const;
        });
        return Object.fromEntries(await Promise.all(answers));
    }

    async function postmasterStarts(): Promise<string[]> {
        const { state, tunnel } = cluster();
        const tls = { ca: state.patroniAuthority };
        return Promise.all(
            state.instances.map(async ({ address: host }) => {
                const stream = await tunnel.connect(host, ports.patroni, 5000);
                const question = { host, port: ports.patroni, path: "/patroni", tls, stream, timeoutMs: 5000 };
                return (await askJson<{ postmaster_start_time: string }>(question)).postmaster_start_time;
            }),
        );
    }

    it("are shown by every instance and member without a restart of PostgreSQL", async () => {
        const before = await shown();
        assert.ok(!Object.values(before).includes(undefined), JSON.stringify(before));
        const starts = await postmasterStarts();
        const { resources } = cluster().state;
        const urns = renewed.map((name) => {
            const found = resources.find(({ urn }) => urn.endsWith(`::${name}`));
            assert.ok(found, name);
            return found.urn;
        });
        await cluster().update(...urns.flatMap((urn) => ["--replace", urn]));
        const begin = Date.now();
        for (;;) {
            const now = await shown();
            const old = Object.keys(before).filter((what) => [undefined, before[what]].includes(now[what]));
            if (old.length === 0) break;
            assert.ok(Date.now() - begin < takeUpMs, `still shown after ${takeUpMs / 1000} s: ${old.join(", ")}`);
            await sleep(2000);
        }
        measured("renewed certificates: shown by every instance and member after", (Date.now() - begin) / 1000);
        assert.deepEqual(await postmasterStarts(), starts);
        await cluster().waitUntilRedundant();
    });
});
