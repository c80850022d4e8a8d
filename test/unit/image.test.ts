import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { image } from "../../components/images/image";
import { versions } from "../../components/versions";

describe("an image of the stack", () => {
    it("is another one with the packages of another day, and the same with those of the same", () => {
        const references = [undefined, "2026-11-29", "2026-11-30", "2026-11-29"].map(
            (day) => image("etcd", day).reference,
        );
        assert.equal(new Set(references).size, 3);
        assert.equal(references[1], references[3]);
    });

    it("holds the versions that its name tells", () => {
        const read = (...file: string[]) => readFileSync(join(__dirname, "..", "..", "components", ...file), "utf8");
        for (const part of [["patroni"], ["etcd"], ["haproxy"], ["machines", "docker"]]) {
            assert.match(read(...part, "image", "Dockerfile"), new RegExp(`^FROM ${versions.baseImage}$`, "m"));
        }
        assert.match(read("patroni", "image", "requirements.txt"), new RegExp(`^patroni==${versions.patroni} `, "m"));
        const dockerfile = read("patroni", "image", "Dockerfile");
        const majors = [...dockerfile.matchAll(/postgresql[-/](\d+)/g)].map(([, major]) => major);
        assert.ok(majors.length > 1);
        assert.deepEqual([...new Set(majors)], [versions.postgresql]);
    });
});
