import assert from "node:assert/strict";
import fc from "fast-check";
import { changedInputs, inputDiff } from "../../components/step";

const nothing = { changed: false, replaces: [] };

describe("the difference between stored and wanted inputs", () => {
    it("is none for equal values, however deep and whatever their order of keys", () => {
        const olds = { node: "machine-1", access: { ssh: { user: "root", port: 22 } }, peers: [{ name: "b" }] };
        const news = { peers: [{ name: "b" }], access: { ssh: { port: 22, user: "root" } }, node: "machine-1" };
        assert.deepEqual(inputDiff(olds, news, ["node"]), nothing);
        fc.assert(
            fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (inputs) => {
                assert.deepEqual(inputDiff(structuredClone(inputs), inputs), nothing);
            }),
        );
    });

    it("sees a change deep inside, and in the order of a list", () => {
        const olds = { access: { ssh: { port: 22 } }, peers: ["a", "b"], node: "n" };
        assert.deepEqual(changedInputs(olds, { ...olds, access: { ssh: { port: 2222 } } }), ["access"]);
        assert.deepEqual(changedInputs(olds, { ...olds, peers: ["b", "a"] }), ["peers"]);
        assert.deepEqual(changedInputs(olds, { ...olds, further: 1 }), ["further"]);
    });

    it("keeps types apart: 22 is not the text 22", () => {
        assert.deepEqual(changedInputs({ port: 22 }, { port: "22" }), ["port"]);
    });

    it("ignores what only the stored state has: outputs are no inputs", () => {
        assert.deepEqual(inputDiff({ node: "n", instance: "made" }, { node: "n" }), nothing);
    });

    it("ignores the engine's own __provider, so that an edit of the code changes no resource", () => {
        assert.deepEqual(inputDiff({ __provider: "a", node: "n" }, { __provider: "b", node: "n" }), nothing);
    });

    it("asks for a replacement only by those changed inputs that need one", () => {
        const olds = { node: "n", role: "server", unit: "a" };
        assert.deepEqual(inputDiff(olds, { ...olds, unit: "b" }, ["node", "role"]), { changed: true, replaces: [] });
        assert.deepEqual(inputDiff(olds, { node: "n", role: "agent", unit: "b" }, ["node", "role"]), {
            changed: true,
            replaces: ["role"],
        });
    });
});
