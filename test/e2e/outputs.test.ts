import assert from "node:assert/strict";
import { pulumiOutput } from "../../commands/run-pulumi";
import { useCluster } from "./support";

const secretOutputs = ["connectionString", "readOnlyConnectionString", "kubeconfig"];
const plainOutputs = ["caCertificate", "endpoints", "status"];
/** Plain but for the passphrase in it. */
const mixedOutputs = ["backup"];

describe("stack outputs", () => {
    const cluster = useCluster();

    const outputs = async (...args: string[]): Promise<Record<string, unknown>> => {
        const text = await pulumiOutput(cluster().workspace, ["stack", "output", "--json", ...args]);
        assert.ok(text !== undefined, "pulumi stack output failed");
        return JSON.parse(text) as Record<string, unknown>;
    };

    it("are exactly those of the contract", async () => {
        assert.deepEqual(
            Object.keys(await outputs()).sort(),
            [...secretOutputs, ...plainOutputs, ...mixedOutputs].sort(),
        );
    });

    it("hide what gives access unless secrets are asked for", async () => {
        const hidden = await outputs();
        const shown = await outputs("--show-secrets");
        for (const name of secretOutputs) {
            assert.equal(hidden[name], "[secret]", name);
            assert.notEqual(shown[name], "[secret]", name);
        }
        for (const name of plainOutputs) {
            assert.deepEqual(hidden[name], shown[name], name);
        }
    });

    it("say where the backups are, and hide their passphrase", async () => {
        const { backup } = (await outputs()) as { backup: Record<string, string> };
        assert.equal(backup["passphrase"], "[secret]");
        assert.equal(backup["stanza"], "postgres");
        assert.match(backup["repository"] ?? "", /^s3:\/\/backups\/dev\/postgres at [\d.]+:\d+$/);
        // Empty where the last update ended before the first backup did.
        assert.match(backup["latestRecoverableTime"] ?? "none", /^$|^\d{4}-\d\d-\d\dT[\d:]+Z$/);
    });

    it("name every machine as an entry, with the certificate checked in full", async () => {
        const { connectionString, readOnlyConnectionString } = await outputs("--show-secrets");
        const hosts = (port: number) =>
            cluster()
                .state.machines.map(({ access }) => `${access.address}:${port}`)
                .join(",");
        const pattern = (port: number) =>
            `^postgresql://app:[A-Za-z0-9]{32}@${hosts(port)}/app\\?sslmode=verify-full&connect_timeout=3`;
        assert.match(String(connectionString), new RegExp(`${pattern(5432)}&target_session_attrs=read-write$`));
        assert.match(String(readOnlyConnectionString), new RegExp(`${pattern(5433)}$`));
    });

    it("say that the stack served and was redundant when it was last updated", async () => {
        const { status } = await outputs();
        assert.deepEqual(status, { serving: true, redundant: true, members: 3, healthyMembers: 3 });
    });
});
