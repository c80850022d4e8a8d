import assert from "node:assert/strict";
import { provider, type RepositoryCheckInputs } from "../../../components/pgbackrest/repository-check.step";

const checked: RepositoryCheckInputs = {
    repository: {
        host: "192.0.2.20",
        port: 9000,
        bucket: "backups",
        region: "us-east-1",
        uriStyle: "path",
        path: "/dev/postgres",
        credentials: { type: "key", accessKeyId: "KEY", secretAccessKey: "SECRET" },
    },
    machines: [],
    image: "patroni:1",
};

const isRepeated = async (change: Partial<RepositoryCheckInputs>): Promise<boolean> =>
    (await provider.diff("backups", checked, { ...checked, ...change })).changed;

describe("the check of the repository", () => {
    it("is repeated for another place, other keys or another authority", async () => {
        const { repository } = checked;
        const keys = { type: "key" as const, accessKeyId: "KEY", secretAccessKey: "NEW" };
        assert.equal(await isRepeated({ repository: { ...repository, bucket: "other" } }), true);
        assert.equal(await isRepeated({ repository: { ...repository, credentials: keys } }), true);
        assert.equal(await isRepeated({ repository: { ...repository, caCertificate: "PEM" } }), true);
    });

    it("is not repeated for another image or other machines: a store that is down holds up no update", async () => {
        const ssh = { user: "root", port: 22, privateKey: "KEY", hostKey: "ssh-ed25519 AAAA" };
        const machine = { name: "machine-4", address: "192.0.2.14", privateAddress: "192.0.2.14", ssh };
        assert.equal(await isRepeated({ image: "patroni:2", machines: [machine] }), false);
        assert.equal(await isRepeated({}), false);
    });
});
