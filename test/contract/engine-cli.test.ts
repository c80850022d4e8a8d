import * as assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
    copyFileSync,
    existsSync,
    linkSync,
    mkdirSync,
    mkdtempSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pluck, pluckMaps, type PropertyMap } from "../../offline/engine/values";
import { FakeCluster } from "./engine-fake-cluster";
import { engineDirectory } from "./engine-plugin-client";

/** The real Pulumi CLI over the stand-ins. It proves the protocol; the cluster is a fake. */

const CLI = process.env.POSTGRES_HA_PULUMI ?? join(homedir(), ".cache", "postgres-ha", "build-scratch", "pulumi");

const PROGRAM = `
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import * as kubernetes from "@pulumi/kubernetes";
import { Greeting } from "./greeting";

const config = new pulumi.Config();
const password = new random.RandomPassword("password", { length: 20, special: false });
const greeting = new Greeting("greeting", { text: "hello", password: password.result });
const provider = new kubernetes.Provider("cluster", {
  kubeconfig: config.requireSecret("kubeconfig"),
  clusterIdentifier: config.require("cluster"),
  enableConfigMapMutable: true,
  enableSecretMutable: true,
});
const inCluster = { provider, deleteBeforeReplace: true };
const namespace = new kubernetes.core.v1.Namespace("db", { metadata: { name: "db" } }, { ...inCluster, protect: config.getBoolean("protect") });
const metadata = { namespace: namespace.metadata.name };
new kubernetes.core.v1.Secret("secret", { metadata: { ...metadata, name: "secret" }, stringData: { password: password.result } }, inCluster);
new kubernetes.core.v1.ConfigMap("settings", { metadata: { ...metadata, name: "settings" }, data: { level: config.require("level") } }, inCluster);
export const said = greeting.said;
export const uid = namespace.metadata.uid;
`;

const GREETING = `
import * as pulumi from "@pulumi/pulumi";
const shim: pulumi.dynamic.ResourceProvider = {
  async create(inputs) {
    const fromProject = require("module").createRequire(process.cwd() + "/package.json");
    fromProject("tsx/cjs");
    return fromProject("./implementation.ts").create(inputs);
  },
};
export class Greeting extends pulumi.dynamic.Resource {
  declare readonly said: pulumi.Output<string>;
  constructor(name: string, args: { text: string; password: pulumi.Input<string> }) {
    super(shim, name, { ...args, said: undefined }, { additionalSecretOutputs: ["said"] });
  }
}
`;

function implementation(word: string): string {
    return `export function create(inputs: { text: string; password: string }): { id: string; outs: object } {
  return { id: "greeting", outs: { ...inputs, said: inputs.text + " ${word} " + inputs.password } };
}`;
}

const PROJECT = `name: engine-test
runtime:
  name: nodejs
  options:
    typescript: false
    nodeargs: "--import tsx"
`;

interface Summary {
    readonly changes: Record<string, number>;
    readonly output: string;
}

describe("the real pulumi CLI over the stand-ins", function () {
    this.timeout(300_000);
    const cluster = new FakeCluster();
    let home: string;
    let program: string;

    async function pulumi(...args: string[]): Promise<string> {
        const env = {
            PATH: `${join(home, "bin")}:${process.env.PATH}`,
            HOME: home,
            PULUMI_HOME: join(home, "pulumi-home"),
            PULUMI_BACKEND_URL: `file://${join(home, "state")}`,
            PULUMI_CONFIG_PASSPHRASE: "a passphrase",
            PULUMI_SKIP_UPDATE_CHECK: "1",
            PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        };
        return new Promise((done, fail) => {
            const options = { cwd: program, env, maxBuffer: 2 ** 26 };
            execFile(join(home, "bin", "pulumi"), [...args, "--non-interactive"], options, (error, stdout, stderr) => {
                if (error) fail(new Error(`pulumi ${args.join(" ")}: ${stdout}${stderr}`));
                else done(stdout + stderr);
            });
        });
    }

    async function summary(...args: string[]): Promise<Summary> {
        const output = await pulumi(...args);
        const found = [
            ...output.matchAll(/^\s+[+~-]*\s*(\d+) (created?|updated?|deleted?|unchanged|to create|to update)/gm),
        ];
        const changes: Record<string, number> = {};
        for (const [, count, what] of found) changes[String(what)] = Number(count);
        return { output, changes };
    }

    before(async function () {
        if (!existsSync(CLI)) {
            console.log(`      SKIPPED: no pulumi CLI at ${CLI}; build it or set POSTGRES_HA_PULUMI`);
            this.skip();
        }
        const engine = await engineDirectory();
        home = mkdtempSync(join(tmpdir(), "engine-cli-"));
        program = join(home, "program");
        for (const folder of ["bin", "state", "program"]) mkdirSync(join(home, folder));
        try {
            linkSync(CLI, join(home, "bin", "pulumi"));
        } catch {
            copyFileSync(CLI, join(home, "bin", "pulumi"));
        }
        for (const name of ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"]) {
            copyFileSync(join(engine, "bin", name), join(home, "bin", name));
        }
        symlinkSync(join(engine, "home"), join(home, "pulumi-home"));
        symlinkSync(resolve("node_modules"), join(program, "node_modules"));
        writeFileSync(join(program, "package.json"), JSON.stringify({ name: "engine-test", main: "index.ts" }));
        writeFileSync(join(program, "Pulumi.yaml"), PROJECT);
        writeFileSync(join(program, "index.ts"), PROGRAM);
        writeFileSync(join(program, "greeting.ts"), GREETING);
        writeFileSync(join(program, "implementation.ts"), implementation("dear"));
        await cluster.start();
        await pulumi("stack", "init", "dev");
        await pulumi("config", "set", "kubeconfig", cluster.kubeconfig, "--secret");
        await pulumi("config", "set", "level", "one");
        await pulumi("config", "set", "cluster", "first");
    });
    after(async () => {
        await cluster.stop().catch(() => undefined);
        if (home) rmSync(home, { recursive: true });
    });

    it("previews, creates, and then has nothing to do", async () => {
        assert.equal((await summary("preview")).changes["to create"], 7);
        assert.equal(cluster.find("Namespace", "db"), undefined);
        assert.equal((await summary("up", "--yes", "--skip-preview")).changes.created, 7);
        assert.ok(cluster.find("Secret", "secret", "db"));
        const again = await summary("up", "--yes", "--skip-preview");
        assert.deepEqual(again.changes, { unchanged: 7 });
        assert.match(again.output, /offline engine: stand-in for pulumi-resource-kubernetes 4\.29\.0/);
    });

    it("keeps secrets out of the state and gives them out when asked", async () => {
        const outputs = JSON.parse(await pulumi("stack", "output", "--json", "--show-secrets")) as PropertyMap;
        const password = String(outputs.said).split(" ").at(-1) ?? "";
        assert.match(password, /^[A-Za-z0-9]{20}$/);
        const state = await pulumi("stack", "export");
        assert.equal(state.includes(password), false);
        assert.equal(state.includes(Buffer.from(password).toString("base64")), false);
        assert.equal(state.includes("certificate-authority-data"), false);
        assert.equal(outputs.uid, cluster.find("Namespace", "db")?.metadata.uid);
    });

    it("leaves a dynamic resource alone when only its implementation changes", async () => {
        writeFileSync(join(program, "implementation.ts"), implementation("very dear"));
        assert.deepEqual((await summary("up", "--yes", "--skip-preview")).changes, { unchanged: 7 });
    });

    it("updates in place what the program changes", async () => {
        await pulumi("config", "set", "level", "two");
        const { changes } = await summary("up", "--yes", "--skip-preview");
        assert.deepEqual(changes, { updated: 1, unchanged: 6 });
        assert.equal(pluck(cluster.find("ConfigMap", "settings", "db"), "data", "level"), "two");
    });

    it("sees drift and a deleted object on refresh, and puts both right", async () => {
        const settings = cluster.find("ConfigMap", "settings", "db");
        if (settings) settings.data = { level: "drifted" };
        for (const [key, live] of cluster.objects) if (live.kind === "Secret") cluster.objects.delete(key);
        const refreshed = await summary("refresh", "--yes", "--skip-preview");
        assert.deepEqual([refreshed.changes.updated, refreshed.changes.deleted], [1, 1]);
        const { changes } = await summary("up", "--yes", "--skip-preview");
        assert.deepEqual([changes.updated, changes.created], [1, 1]);
        assert.equal(pluck(cluster.find("ConfigMap", "settings", "db"), "data", "level"), "two");
        assert.ok(cluster.find("Secret", "secret", "db"));
    });

    it("makes everything anew when another cluster answers with the same access, and deletes none of it afterwards", async () => {
        cluster.objects.clear();
        await pulumi("config", "set", "cluster", "second");
        await pulumi("up", "--yes", "--skip-preview");
        assert.ok(cluster.find("Namespace", "db"));
        assert.ok(cluster.find("Secret", "secret", "db"));
        assert.equal(pluck(cluster.find("ConfigMap", "settings", "db"), "data", "level"), "two");
        assert.deepEqual((await summary("up", "--yes", "--skip-preview")).changes, { unchanged: 7 });
    });

    it("does that with what is protected, after a refresh that saw it gone", async () => {
        await pulumi("config", "set", "protect", "true");
        await pulumi("up", "--yes", "--skip-preview");
        await pulumi("config", "set", "cluster", "third");
        cluster.objects.clear();
        await pulumi("up", "--yes", "--skip-preview", "--refresh");
        assert.ok(cluster.find("Namespace", "db"));
        assert.ok(cluster.find("Secret", "secret", "db"));
        await pulumi("config", "set", "protect", "false");
        await pulumi("up", "--yes", "--skip-preview");
    });

    it("destroys everything it made", async () => {
        await pulumi("destroy", "--yes", "--skip-preview");
        assert.equal(cluster.find("Namespace", "db"), undefined);
        const left = JSON.parse(await pulumi("stack", "export")) as PropertyMap;
        assert.equal(pluckMaps(left, "deployment", "resources").length, 0);
    });
});
