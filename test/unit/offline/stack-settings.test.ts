import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makesObjectStore } from "../../../offline/stack-settings";
import { temporaryDirectory } from "./release-server";

describe("whether a stack needs the server of an object store", () => {
    const directory = temporaryDirectory();
    const settings = (text: string): boolean => {
        writeFileSync(join(directory.path(), "Pulumi.dev.yaml"), text);
        return makesObjectStore("dev", directory.path());
    };

    it("is known from its settings", () => {
        assert.equal(settings("config:\n  postgres-ha:backup:\n    repository: {provider: docker}\n"), true);
        assert.equal(settings("config:\n  postgres-ha:backup:\n    repository: {provider: s3}\n"), false);
        assert.equal(settings("config:\n  postgres-ha:profile: dev\n"), false);
    });

    it("is no when they are missing, empty or broken: the program itself complains about that", () => {
        assert.equal(makesObjectStore("other", directory.path()), false);
        for (const text of ["", "config: [", "config:\n  postgres-ha:backup: text\n"])
            assert.equal(settings(text), false);
    });

    it("is yes for the dev stack and no for the others of this checkout", () => {
        assert.deepEqual(
            ["dev", "staging", "production"].map((stack) => makesObjectStore(stack)),
            [true, false, false],
        );
    });
});
