import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { renderQuestion } from "../../../components/pgbackrest/ask-repository";
import { provider, type RestorePreparationInputs } from "../../../components/pgbackrest/restore-preparation.step";
import { temporaryDirectory } from "../offline/release-server";

const inputs: RestorePreparationInputs = {
    cluster: "orders",
    namespace: "orders",
    instances: ["orders-0"],
    request: { generation: 2, options: ["--type=name", "--target=it's $HOME"] },
    files: { "pgbackrest.conf": "[global]\nrepo1-cipher-pass=$secret`x`\n", "ca.crt": "PEM" },
    machines: [],
    servers: [],
    image: "patroni:1",
};

const isRepeated = async (change: Partial<RestorePreparationInputs>): Promise<boolean> =>
    (await provider.diff("orders", inputs, { ...inputs, ...change })).changed;

describe("the preparation of a restore", () => {
    const directory = temporaryDirectory();

    it("is made for another request, and for nothing else: a store that is down holds up no update", async () => {
        assert.equal(await isRepeated({ request: { ...inputs.request, generation: 3 } }), true);
        assert.equal(await isRepeated({ request: { generation: 2, options: ["--type=default"] } }), true);
        assert.equal(await isRepeated({ image: "patroni:2", files: {} }), false);
    });

    it("gives the container the instances' files to the letter", () => {
        const below = (path: string) => join(directory.path(), path);
        for (const folder of ["etc/pgbackrest", "etc/postgres-ha/restore"])
            mkdirSync(below(folder), { recursive: true });
        const script = renderQuestion({ ...inputs, stanza: inputs.cluster, module: "restore_check" })
            .replaceAll("> /etc", `> ${below("etc")}`)
            .replace(/^cd .*$/m, "echo $BACKUP_STANZA");
        assert.equal(execFileSync("bash", { input: script, encoding: "utf8" }), "orders\n");
        const written = readFileSync(below("etc/pgbackrest/pgbackrest.conf"), "utf8");
        assert.equal(written, inputs.files["pgbackrest.conf"]);
        const request: unknown = JSON.parse(readFileSync(below("etc/postgres-ha/restore/restore.json"), "utf8"));
        assert.deepEqual(request, inputs.request);
    });
});
