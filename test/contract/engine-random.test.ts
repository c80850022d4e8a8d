import * as assert from "node:assert/strict";
import type { PropertyMap } from "../../offline/engine/values";
import { type CallError, type Provider, startProvider } from "./engine-plugin-client";

function urn(kind: string): string {
    return `urn:pulumi:dev::test::random:index/${kind.charAt(0).toLowerCase()}${kind.slice(1)}:${kind}::it`;
}

describe("stand-in for pulumi-resource-random", function () {
    this.timeout(30_000);
    let provider: Provider;

    before(async () => {
        provider = await startProvider("random");
        await provider.configure({});
    });
    after(() => provider.stop());

    async function make(kind: string, inputs: PropertyMap) {
        return provider.create(urn(kind), inputs);
    }

    it("says once per run that it is a stand-in", async () => {
        await provider.plugin.said("offline engine: stand-in for pulumi-resource-random 4.21.2");
        assert.equal(provider.plugin.logged.length, 1);
    });

    it("makes a password of the wanted length and classes", async () => {
        const { id, properties } = await make("RandomPassword", {
            length: 40,
            special: false,
            minUpper: 5,
            minNumeric: 30,
        });
        const result = String(properties.result);
        assert.equal(id, "none");
        assert.match(result, /^[A-Za-z0-9]{40}$/);
        assert.ok(result.replace(/[^A-Z]/g, "").length >= 5);
        assert.ok(result.replace(/\D/g, "").length >= 30);
        assert.equal(properties.special, false);
        assert.equal(properties.lower, true);
    });

    it("takes special characters from overrideSpecial only", async () => {
        const { properties } = await make("RandomString", {
            length: 200,
            overrideSpecial: "_~",
            lower: false,
            upper: false,
            numeric: false,
        });
        assert.match(String(properties.result), /^[_~]{200}$/);
    });

    it("gives two resources different values", async () => {
        const [one, two] = [await make("RandomPassword", { length: 30 }), await make("RandomPassword", { length: 30 })];
        assert.notEqual(one.properties.result, two.properties.result);
    });

    it("makes nothing in a preview", async () => {
        const { id, properties } = await provider.create(urn("RandomPassword"), { length: 12 }, { preview: true });
        assert.equal(id, "");
        assert.deepEqual(properties, { length: 12 });
    });

    it("writes the same bytes of a RandomId in all its encodings, with the prefix", async () => {
        const { id, properties } = await make("RandomId", { byteLength: 8, prefix: "db-" });
        const bytes = Buffer.from(id, "base64url");
        assert.equal(bytes.length, 8);
        assert.equal(properties.hex, `db-${bytes.toString("hex")}`);
        assert.equal(properties.b64Std, `db-${bytes.toString("base64")}`);
        assert.equal(properties.b64Url, `db-${id}`);
        assert.equal(properties.dec, `db-${BigInt(`0x${bytes.toString("hex")}`)}`);
    });

    it("makes bytes, UUIDs of versions 4 and 7, and integers within their bounds", async () => {
        const bytes = (await make("RandomBytes", { length: 16 })).properties;
        assert.equal(Buffer.from(String(bytes.base64), "base64").toString("hex"), bytes.hex);
        assert.match(
            String((await make("RandomUuid", {})).properties.result),
            /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/,
        );
        assert.match(
            String((await make("RandomUuid7", {})).properties.result),
            /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/,
        );
        const drawn = await Promise.all(Array.from({ length: 30 }, () => make("RandomInteger", { min: 5, max: 7 })));
        assert.deepEqual([...new Set(drawn.map(({ properties }) => properties.result))].sort(), [5, 6, 7]);
    });

    it("shuffles to a permutation, repeatably with a seed", async () => {
        const inputs = { inputs: ["a", "b", "c", "d", "e"], seed: "x" };
        const [one, two] = [await make("RandomShuffle", inputs), await make("RandomShuffle", inputs)];
        assert.deepEqual(one.properties.results, two.properties.results);
        assert.deepEqual([...(one.properties.results as string[])].sort(), inputs.inputs);
        const short = await make("RandomShuffle", { inputs: ["a", "b"], resultCount: 5 });
        assert.equal((short.properties.results as string[]).length, 5);
    });

    it("replaces for any changed input, keepers included, and for nothing else", async () => {
        const inputs = { length: 12, keepers: { version: "1" } };
        const changed = await provider.diff(urn("RandomPassword"), {}, inputs, {
            length: 12,
            keepers: { version: "2" },
        });
        assert.deepEqual(changed.kinds, { "keepers.version": "UPDATE_REPLACE" });
        assert.deepEqual(changed.replaces, ["keepers.version"]);
        assert.equal((await provider.diff(urn("RandomPassword"), { result: "x" }, inputs, inputs)).changed, false);
    });

    it("refuses impossible inputs by property", async () => {
        const failed = async (kind: string, inputs: PropertyMap) =>
            (await provider.check(urn(kind), inputs)).failures.map((failure) => failure.property);
        assert.deepEqual(await failed("RandomPassword", {}), ["length"]);
        assert.deepEqual(await failed("RandomPassword", { length: 0 }), ["length"]);
        assert.deepEqual(await failed("RandomPassword", { length: 4, minLower: 3, minUpper: 2 }), ["length"]);
        assert.deepEqual(
            await failed("RandomString", { length: 4, lower: false, upper: false, numeric: false, special: false }),
            ["lower"],
        );
        assert.deepEqual(await failed("RandomInteger", { min: 3, max: 2 }), ["min"]);
        assert.deepEqual(await failed("RandomPassword", { length: "04da6b54-80e4-46f7-96ec-b56ff0331ba9" }), []);
    });

    it("keeps the state on a refresh and takes a value on an import", async () => {
        const state = { length: 3, result: "abc" };
        assert.deepEqual(await provider.read(urn("RandomPassword"), "none", state, { length: 3 }), {
            id: "none",
            properties: state,
            inputs: { length: 3 },
        });
        const imported = await provider.read(urn("RandomPassword"), "hunter2!");
        assert.equal(imported.id, "none");
        assert.equal(imported.properties.result, "hunter2!");
        assert.equal(imported.inputs.length, 8);
        const random = await provider.read(urn("RandomId"), "p-,AQIDBA");
        assert.deepEqual(
            [random.id, random.inputs, random.properties.hex],
            ["AQIDBA", { byteLength: 4, prefix: "p-" }, "p-01020304"],
        );
    });

    it("names what it has when asked for a kind it has not", async () => {
        await assert.rejects(make("RandomPet", {}), (error: CallError) =>
            /has no .*RandomPet.*RandomPassword/.test(error.message),
        );
    });
});
