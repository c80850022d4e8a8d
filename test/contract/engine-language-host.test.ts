import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { LanguageRuntimeClient } from "@pulumi/pulumi/proto/language_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/language_pb";
import { parseOptions, shellWords } from "../../offline/engine/language-options";
import type { PropertyMap } from "../../offline/engine/values";
import { engineDirectory, type Plugin, startPlugin, struct } from "./engine-plugin-client";

// A program that only tells how it was started stands in for the SDK's own run script.
const TELLTALE = `require("fs").writeFileSync(process.env.TELL, JSON.stringify({
  argv: process.argv.slice(2), execArgv: process.execArgv, env: process.env })); process.exit(Number(process.env.CODE ?? 0));`;

describe("stand-in for pulumi-language-nodejs", function () {
    this.timeout(30_000);
    let directory: string;
    let host: Plugin;
    let client: LanguageRuntimeClient;

    function write(path: string, content: string | PropertyMap): void {
        const target = join(directory, path);
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, typeof content === "string" ? content : JSON.stringify(content));
    }

    async function start(environment: NodeJS.ProcessEnv = {}): Promise<void> {
        host = await startPlugin(join(await engineDirectory(), "bin", "pulumi-language-nodejs"), {
            TELL: join(directory, "told.json"),
            ...environment,
        });
        client = new LanguageRuntimeClient(`127.0.0.1:${host.port}`, grpc.credentials.createInsecure());
    }

    beforeEach(() => {
        directory = mkdtempSync(join(tmpdir(), "program-"));
        write("package.json", {
            name: "program",
            main: "index.ts",
            dependencies: { "@pulumi/pulumi": "1", plain: "1" },
        });
        write("node_modules/@pulumi/pulumi/package.json", { name: "@pulumi/pulumi", version: "3.246.0" });
        write("node_modules/@pulumi/pulumi/cmd/run/index.js", TELLTALE);
        write("node_modules/@pulumi/random/package.json", {
            name: "@pulumi/random",
            version: "4.21.2",
            pulumi: { resource: true, name: "random" },
        });
        write("node_modules/plain/package.json", { name: "plain", version: "1.0.0" });
        write("node_modules/plain/node_modules/nested/package.json", {
            name: "nested",
            version: "2.0.0",
            pulumi: { resource: true, name: "nested", version: "v9.9.9" },
        });
    });
    afterEach(async () => {
        client.close();
        await host.stop();
        rmSync(directory, { recursive: true });
    });

    function info(options: PropertyMap = {}): messages.ProgramInfo {
        const program = new messages.ProgramInfo();
        program.setRootDirectory(directory);
        program.setProgramDirectory(directory);
        program.setEntryPoint(".");
        program.setOptions(struct(options));
        return program;
    }

    function call<Request, Response>(
        method: (request: Request, callback: (error: grpc.ServiceError | null, response: Response) => void) => unknown,
        request: Request,
    ): Promise<Response> {
        return new Promise((resolve, reject) => {
            method.call(client, request, (error, response) => (error ? reject(error) : resolve(response)));
        });
    }

    async function run(options: PropertyMap = {}): Promise<messages.RunResponse> {
        const request = new messages.RunRequest();
        request.setInfo(info(options));
        request.setProject("proj");
        request.setStack("dev");
        request.setOrganization("org");
        request.setMonitorAddress("127.0.0.1:1");
        request.setDryrun(true);
        request.setParallel(7);
        request.getConfigMap().set("proj:size", "3");
        request.getConfigMap().set("proj:password", "x");
        request.setConfigsecretkeysList(["proj:password"]);
        return call<messages.RunRequest, messages.RunResponse>(client.run.bind(client), request);
    }

    function told(): { argv: string[]; execArgv: string[]; env: Record<string, string> } {
        return JSON.parse(readFileSync(join(directory, "told.json"), "utf8")) as ReturnType<typeof told>;
    }

    it("runs the SDK's run script with addresses, names and configuration", async () => {
        await start();
        const response = await run();
        assert.deepEqual([response.getError(), response.getBail()], ["", false]);
        const { argv, env } = told();
        const value = (name: string): string | undefined => argv[argv.indexOf(`--${name}`) + 1];
        assert.equal(value("monitor"), "127.0.0.1:1");
        assert.match(String(value("engine")), /^127\.0\.0\.1:\d+$/);
        assert.deepEqual(["project", "stack", "organization", "parallel", "pwd"].map(value), [
            "proj",
            "dev",
            "org",
            "7",
            directory,
        ]);
        assert.ok(argv.includes("--dry-run"));
        assert.equal(argv.at(-1), ".");
        assert.deepEqual(JSON.parse(env.PULUMI_CONFIG ?? ""), { "proj:config:size": "3", "proj:config:password": "x" });
        assert.deepEqual(JSON.parse(env.PULUMI_CONFIG_SECRET_KEYS ?? ""), ["proj:password"]);
        assert.equal(env.PULUMI_NODEJS_TYPESCRIPT, "true");
        await host.said("offline engine: stand-in for pulumi-language-nodejs");
    });

    it("honours nodeargs, typescript and tsconfig", async () => {
        await start();
        await run({ typescript: false, nodeargs: "--no-warnings --stack-trace-limit=50", tsconfig: "other.json" });
        const { execArgv, env } = told();
        assert.deepEqual(execArgv, ["--no-warnings", "--stack-trace-limit=50"]);
        assert.equal(env.PULUMI_NODEJS_TYPESCRIPT, undefined);
        assert.equal(env.PULUMI_NODEJS_TSCONFIG_PATH, "other.json");
    });

    it("passes on how the program ended", async () => {
        await start({ CODE: "3" });
        assert.match((await run()).getError(), /non-zero exit code: 3/);
        client.close();
        await host.stop();
        await start({ CODE: "32" });
        const told = await run();
        assert.deepEqual([told.getError(), told.getBail()], ["", true]);
    });

    it("says what is missing when the SDK is not installed or an option is wrong", async () => {
        await start();
        assert.match((await run({ nodeargs: 3 })).getError(), /"nodeargs" must be a string/);
        rmSync(join(directory, "node_modules"), { recursive: true });
        assert.match((await run()).getError(), /SDK has not been installed.*pulumi install/);
    });

    it("finds the plugins behind installed packages, nested ones too", async () => {
        await start();
        const request = new messages.GetRequiredPackagesRequest();
        request.setInfo(info());
        const response = await call<messages.GetRequiredPackagesRequest, messages.GetRequiredPackagesResponse>(
            client.getRequiredPackages.bind(client),
            request,
        );
        const found = response
            .getPackagesList()
            .map((each) => `${each.getKind()} ${each.getName()} ${each.getVersion()}`);
        assert.deepEqual(found.sort(), ["resource nested v9.9.9", "resource random v4.21.2"]);
    });

    it("lists direct and transitive dependencies", async () => {
        await start();
        const names = async (transitive: boolean): Promise<string[]> => {
            const request = new messages.GetProgramDependenciesRequest();
            request.setInfo(info());
            request.setTransitivedependencies(transitive);
            const response = await call<
                messages.GetProgramDependenciesRequest,
                messages.GetProgramDependenciesResponse
            >(client.getProgramDependencies.bind(client), request);
            return response
                .getDependenciesList()
                .map((each) => each.getName())
                .sort();
        };
        assert.deepEqual(await names(false), ["@pulumi/pulumi", "plain"]);
        assert.deepEqual(await names(true), ["@pulumi/pulumi", "@pulumi/random", "nested", "plain"]);
    });

    it("splits nodeargs as a shell does and refuses unknown package managers", async () => {
        await start();
        assert.deepEqual(shellWords(`--import tsx  --title "a b" 'c d' e\\ f`), [
            "--import",
            "tsx",
            "--title",
            "a b",
            "c d",
            "e f",
        ]);
        assert.throws(() => shellWords(`"open`), /unclosed/);
        assert.throws(() => parseOptions({ packagemanager: "pip" }), /one of auto, npm, yarn, pnpm, bun/);
    });

    it("ends when it is told to", async () => {
        await start();
        const ended = new Promise((resolve) => host.process.once("exit", resolve));
        host.process.kill("SIGTERM");
        assert.equal(await ended, 0);
    });

    it("answers --version with the version and what it is", async () => {
        await start();
        for (const name of ["pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"]) {
            const said = execFileSync(join(await engineDirectory(), "bin", name), ["--version"], { encoding: "utf8" });
            assert.match(said, /^3\.246\.0 \(offline engine: stand-in for /);
        }
    });

    it("is built without any path of the checkout", async () => {
        await start();
        const text = readFileSync(join(await engineDirectory(), "bin", "pulumi-language-nodejs"), "utf8");
        assert.equal(text.includes(dirname(createRequire(__filename).resolve("../../package.json"))), false);
    });
});
