import assert from "node:assert/strict";
import { Client, type ClientConfig } from "pg";
import { makeAuthority } from "../../components/certificates/x509";
import type { Entry } from "../../commands/status/session";
import { inContainer } from "../../drills/backup/pods";
import { OtherSettings } from "../../drills/backup/restore";
import { useCluster } from "./support";

async function connect(entry: Entry, changes: ClientConfig = {}): Promise<void> {
    const { ca, ...address } = entry;
    const client = new Client({ ...address, ssl: { ca }, connectionTimeoutMillis: 5000, ...changes });
    client.on("error", () => undefined);
    try {
        await client.connect();
    } finally {
        await client.end().catch(() => undefined);
    }
}

describe("access from outside", () => {
    const cluster = useCluster();

    const entry = (): Entry => {
        const [first] = cluster().readWrite;
        assert.ok(first);
        return first;
    };

    it("is given with the password and the stack's authority, through every entry by address", async () => {
        for (const each of [...cluster().readWrite, ...cluster().readOnly]) await connect(each);
    });

    it("is refused by the client when it does not know the authority", async () => {
        await assert.rejects(connect(entry(), { ssl: true }), { code: /UNABLE_TO_|SELF_SIGNED/ });
    });

    it("is refused by the client when it trusts another authority", async () => {
        const { certificate } = await makeAuthority({ commonName: "another CA" }, 1);
        await assert.rejects(connect(entry(), { ssl: { ca: certificate } }), {
            code: /UNABLE_TO_|SELF_SIGNED|CERT_SIGNATURE/,
        });
    });

    it("is refused by the client when the certificate is not for the host it asked for", async () => {
        const ssl = { ca: entry().ca, host: "another.example" };
        await assert.rejects(connect(entry(), { ssl: ssl as ClientConfig["ssl"] }), {
            code: "ERR_TLS_CERT_ALTNAME_INVALID",
        });
    });

    it("is refused without encryption", async () => {
        await assert.rejects(connect(entry(), { ssl: false }), { code: "28000" });
    });

    it("is refused with a wrong password", async () => {
        await assert.rejects(connect(entry(), { password: "wrong" }), { code: "28P01" });
    });

    it("is refused to whom the settings do not name, and not to what runs in the cluster", async function () {
        this.timeout(600_000);
        const settings = new OtherSettings(cluster());
        const allow = (...allowedClients: string[]) => {
            settings.write({ "postgres-ha:haproxy": { allowedClients } });
            return cluster().update("--config-file", settings.file);
        };
        try {
            await allow("192.0.2.0/24");
            for (const each of [...cluster().readWrite, ...cluster().readOnly]) {
                await assert.rejects(connect(each), { message: /ECONNRESET|terminated/ });
            }
            const script =
                `export PGPASSWORD='${entry().password}'\n` +
                'psql -qAtc "select 1" "host=postgres-rw.postgres-proxy user=app dbname=app sslmode=require"\n';
            assert.equal((await inContainer(cluster(), "postgres-0", "postgresql", script)).trim(), "1");
            await allow("192.0.2.0/24", "0.0.0.0/0");
            for (const each of [...cluster().readWrite, ...cluster().readOnly]) await connect(each);
        } finally {
            settings.remove();
            await cluster().update();
        }
    });

    it("is refused to the superuser, even with the right password", async () => {
        const password = cluster().state.resources.find(({ urn }) => urn.endsWith("-superuser-password"))?.outputs[
            "result"
        ];
        assert.equal(typeof password, "string");
        for (const database of ["app", "postgres"]) {
            const superuser = { user: "postgres", password: String(password), database };
            await assert.rejects(connect(entry(), superuser), { code: "28000", message: /pg_hba|reject/ });
        }
    });
});
