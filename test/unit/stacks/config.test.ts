import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utils } from "ssh2";
import * as pulumi from "@pulumi/pulumi";
import { ValidationError } from "../../../components/validation";
import { profiles } from "../../../stacks/profiles";
import { readStackConfig, toArguments } from "../../../stacks/config";
import { hostKey } from "../validation";

// Addresses at which nothing can listen: the search for the API server ends at once.
const docker = {
    provider: "docker",
    subnet: "127.77.0.0/24",
    machines: [1, 2, 3].map((number) => ({ name: `machine-${number}`, address: `127.77.0.1${number}` })),
};
const existing = {
    provider: "existing",
    machines: [1, 2, 3].map((number) => ({ name: `db-${number}`, address: `127.77.0.1${number}`, hostKey })),
};

const refusal = async (run: Promise<unknown>): Promise<ValidationError> => {
    const error: unknown = await run.then(
        () => undefined,
        (reason: unknown) => reason,
    );
    assert.ok(error instanceof ValidationError, `expected a refusal, got ${String(error)}`);
    return error;
};

const paths = async (raw: Record<string, unknown>, unknown?: string[]): Promise<string[]> =>
    (await refusal(toArguments("dev", raw, unknown))).problems.map(({ path }) => path);

describe("the configuration of a stack", () => {
    it("of machines alone is the dev profile, to be deployed through the first server", async () => {
        assert.deepEqual(await toArguments("dev", { machines: docker }), {
            stack: "dev",
            machines: docker,
            ...profiles.dev,
            haproxy: {},
            kubernetes: { apiAddress: "127.77.0.11" },
        });
    });

    it("lays its own values over the profile's, field by field", async () => {
        const args = await toArguments("prod", {
            profile: "production",
            machines: docker,
            postgres: { maxConnections: 50 },
            etcd: { storage: "8Gi" },
        });
        assert.deepEqual(args.postgres, { ...profiles.production.postgres, maxConnections: 50 });
        assert.deepEqual(args.etcd, { ...profiles.production.etcd, storage: "8Gi" });
        assert.deepEqual(args.haproxy, profiles.production.haproxy);
    });

    it("is refused with the path of every value of a wrong type", async () => {
        const raw = {
            profile: "live",
            cluster: 7,
            machines: { ...docker, machines: [{ name: "a", address: 11 }] },
            postgres: { instances: "3", parameters: { work_mem: 8 } },
            recovery: { objective: { rpo: 1 } },
        };
        assert.deepEqual(await paths(raw), [
            "profile",
            "cluster",
            "machines.machines[0].address",
            "postgres.instances",
            "postgres.parameters.work_mem",
            "recovery.objective.rpo",
        ]);
    });

    it("is refused with keys that nobody reads, at the top and inside, beside other mistakes", async () => {
        const error = await refusal(
            toArguments("dev", { machines: docker, postgres: { instances: "3" }, kubernetes: { server: 3 } }, [
                "postgress",
            ]),
        );
        assert.equal(error.problems[0]?.path, "postgress");
        assert.match(
            error.problems[0]?.message ?? "",
            /^is no key of this configuration; the keys are profile, cluster, machines/,
        );
        assert.deepEqual(
            error.problems.map(({ path }) => path),
            ["postgress", "kubernetes", "postgres.instances"],
        );
        assert.match(error.problems[1]?.message ?? "", /"server"/);
        assert.match(error.message, /^configuration of stack dev: 3 problems; nothing was changed\n/);
    });

    it("is refused without machines, with none of them, and with an unknown provider", async () => {
        assert.deepEqual(await paths({}), ["machines"]);
        assert.deepEqual(await paths({ machines: { ...docker, machines: [] } }), ["machines.machines"]);
        assert.deepEqual(await paths({ machines: { ...docker, provider: "cloud" } }), ["machines.provider"]);
    });

    it("is refused by what the component refuses, together with unknown keys", async () => {
        assert.deepEqual(
            await paths({ machines: docker, etcd: { members: 4 }, recovery: { objective: { rto: 5 } } }, ["typo"]),
            ["typo", "etcd.members", "etcd.members", "recovery.objective.rto"],
        );
    });
});

describe("the private SSH key of existing machines", () => {
    let home: string;
    const before = process.env["HOME"];
    beforeEach(() => (process.env["HOME"] = home = mkdtempSync(join(tmpdir(), "postgres-ha-test-"))));
    afterEach(() => {
        process.env["HOME"] = before;
        rmSync(home, { recursive: true });
    });

    const valueOf = async (args: Promise<{ machines: object }>): Promise<string> => {
        const key = ((await args).machines as { privateKey: pulumi.Output<string> }).privateKey;
        assert.equal(await pulumi.isSecret(key), true);
        return new Promise((resolve) => key.apply(resolve));
    };

    it("is read from a file below the home directory, as a secret", async () => {
        const { private: key } = utils.generateKeyPairSync("ed25519");
        writeFileSync(join(home, "key"), key);
        const args = toArguments("staging", { machines: { ...existing, privateKeyFile: "~/key" } });
        assert.equal(await valueOf(args), key);
        assert.ok(!("privateKeyFile" in (await args).machines));
    });

    it("is refused where nobody could log in with what the file holds", async () => {
        const locked = utils.generateKeyPairSync("ed25519", { passphrase: "secret", cipher: "aes256-cbc", rounds: 1 });
        for (const [text, expected] of [
            [locked.private, /^~\/key is locked with a passphrase.*ssh-keygen -p -N ''/],
            [locked.public, /^~\/key is missing or no private key/],
            [
                "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n",
                /^~\/key is no private key/,
            ],
        ] as const) {
            writeFileSync(join(home, "key"), text);
            const machines = { ...existing, privateKeyFile: "~/key" };
            const { problems } = await refusal(toArguments("staging", { machines }));
            assert.equal(problems[0]?.path, "machines.privateKeyFile");
            assert.match(problems[0]?.message ?? "", expected);
        }
    });

    it("in the configuration wins over a file", async () => {
        const args = toArguments(
            "staging",
            { machines: { ...existing, privateKeyFile: "~/missing" } },
            [],
            pulumi.secret("KEY"),
        );
        assert.equal(await valueOf(args), "KEY");
    });

    it("is asked for when it is missing, with the command that sets it", async () => {
        const { problems } = await refusal(toArguments("staging", { machines: existing }));
        assert.equal(problems[0]?.path, "sshPrivateKey");
        assert.match(problems[0]?.message ?? "", /pulumi config set --secret sshPrivateKey < ~\/\.ssh\/id_ed25519/);
    });

    it("is asked for when its file is missing, naming the file as written", async () => {
        const { problems } = await refusal(
            toArguments("staging", { machines: { ...existing, privateKeyFile: "~/missing" } }),
        );
        assert.equal(problems[0]?.path, "machines.privateKeyFile");
        assert.match(problems[0]?.message ?? "", /^~\/missing cannot be read \(ENOENT.*\); correct the path$/);
    });

    it("is missed together with everything else that is wrong", async () => {
        assert.deepEqual(await paths({ machines: existing, etcd: { members: 4 } }, ["typo"]), [
            "typo",
            "sshPrivateKey",
            "etcd.members",
            "etcd.members",
        ]);
    });
});

describe("what Pulumi hands over", () => {
    const machines = JSON.stringify(docker);

    it("is read as objects, numbers and plain words", async () => {
        pulumi.runtime.setAllConfig({
            "project:machines": machines,
            "project:profile": "staging",
            "project:cluster": "orders",
            "project:postgres": JSON.stringify({ maxConnections: 99 }),
            "other:key": "belongs to somebody else",
        });
        const args = await readStackConfig();
        assert.equal(args.cluster, "orders");
        assert.deepEqual(args.postgres, { ...profiles.staging.postgres, maxConnections: 99 });
    });

    it("is refused when it holds a misspelt key of this project", async () => {
        pulumi.runtime.setAllConfig({ "project:machines": machines, "project:recover": "{}" });
        const { problems } = await refusal(readStackConfig());
        assert.deepEqual(
            problems.map(({ path }) => path),
            ["recover"],
        );
    });
});
