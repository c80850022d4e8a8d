import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentDigest } from "../../components/content-digest";

describe("digest of an image's contents", () => {
    let root: string;
    let folder: string;

    beforeEach(() => {
        root = mkdtempSync(join(tmpdir(), "postgres-ha-test-"));
        folder = join(root, "image");
        mkdirSync(join(folder, "bin"), { recursive: true });
        writeFileSync(join(folder, "Dockerfile"), "FROM scratch\n");
        writeFileSync(join(folder, "bin", "start"), "#!/bin/sh\n");
    });

    afterEach(() => rmSync(root, { recursive: true }));

    const changes = (what: string, change: () => void): Mocha.Test =>
        it(`changes with ${what}`, () => {
            const before = contentDigest(folder);
            change();
            assert.notEqual(contentDigest(folder), before);
        });

    changes("the content of a file", () => writeFileSync(join(folder, "bin", "start"), "#!/bin/bash\n"));
    changes("the name of a file", () => renameSync(join(folder, "bin", "start"), join(folder, "bin", "run")));
    changes("a further file", () => writeFileSync(join(folder, "bin", "stop"), ""));
    changes("the executable bit", () => chmodSync(join(folder, "bin", "start"), 0o755));
    changes("a file that moves to another folder", () =>
        renameSync(join(folder, "bin", "start"), join(folder, "start")),
    );

    it("does not change with what editors, merges and interpreters leave behind", () => {
        const before = contentDigest(folder);
        mkdirSync(join(folder, "bin", "__pycache__"));
        for (const name of [
            "bin/__pycache__/start.pyc",
            "bin/.start.swp",
            "bin/start~",
            "Dockerfile.orig",
            ".DS_Store",
        ]) {
            writeFileSync(join(folder, name), "");
        }
        assert.equal(contentDigest(folder), before);
    });

    it("changes with a version or base image given beside the folder, and with the order of such values", () => {
        const digests = [contentDigest(folder), contentDigest(folder, "1"), contentDigest(folder, "1", "2")];
        digests.push(contentDigest(folder, "2", "1"), contentDigest(folder, "12"));
        assert.equal(new Set(digests).size, digests.length);
    });

    it("does not depend on where the folder is, on times or on write permission of others", () => {
        const copy = join(root, "copy");
        cpSync(folder, copy, { recursive: true });
        utimesSync(join(copy, "Dockerfile"), 1, 1);
        chmodSync(join(copy, "Dockerfile"), 0o664);
        assert.equal(contentDigest(copy), contentDigest(folder));
    });

    it("is 16 hexadecimal characters, fit for a tag", () => {
        assert.match(contentDigest(folder), /^[0-9a-f]{16}$/);
    });

    it("keeps a file's end and the next file's beginning apart", () => {
        const other = join(root, "other");
        mkdirSync(other);
        writeFileSync(join(folder, "bin", "start"), "ab");
        writeFileSync(join(other, "Dockerfile"), "FROM scratch\nbin");
        assert.notEqual(contentDigest(other), contentDigest(folder));
    });
});
