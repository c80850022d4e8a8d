import assert from "node:assert/strict";
import { provider, refuseLivingCluster, type Answer } from "../../../components/pgbackrest/passphrase-check.step";

const of = (newest: string, ageSeconds: number): Answer => ({
    ...{ fits: true, newest },
    uploaded: Date.now() / 1000 - ageSeconds,
});

describe("the check of the repository for another cluster that lives", () => {
    const refuse = async (seen: Answer, ...later: Answer[]): Promise<number> => {
        let asked = 0;
        await refuseLivingCluster("orders", seen, () => Promise.resolve(later[asked++] ?? seen), 20);
        return asked;
    };

    it("waits for nobody where the archive is empty or has been silent", async () => {
        assert.equal(await refuse({ fits: true }), 0);
        assert.equal(await refuse(of("A", 151)), 0);
        assert.equal(await refuse({ fits: undefined, unknown: "no answer" }), 0);
    });

    it("waits as long as a cluster that lives may be silent", async () => {
        assert.ok((await refuse(of("A", 149.9), { fits: undefined, unknown: "no answer" })) >= 3);
    });

    it("refuses a repository in which a segment arrives meanwhile", async () => {
        await assert.rejects(
            refuse(of("A", 0), of("A", 1), of("B", 0)),
            /another cluster archives into it \(segment B .*restore\.from\. Nothing was changed/,
        );
    });
});

describe("the check of a passphrase", () => {
    it("refuses another one while the repository does not say whether it is its own", async () => {
        const inputs = { stanza: "orders", passphrase: "one", files: {}, machines: [], image: "patroni:1" };
        await assert.rejects(
            async () => provider.update?.("orders", inputs, { ...inputs, passphrase: "another" }),
            /backup\.passphrase: it is not the one of before.*Nothing was changed/,
        );
        assert.ok(await provider.update?.("orders", inputs, { ...inputs, files: { "ca.crt": "PEM" } }));
    });
});
