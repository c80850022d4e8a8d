import assert from "node:assert/strict";
import { image, imageNames } from "../../../components/images/image";
import { assertSameImages } from "../../../drills/deployed";

describe("the images of a stack that is drilled", () => {
    const stack = (...images: { reference: string; packagesAsOf?: string }[]) => ({
        resources: [
            { urn: "urn:pulumi:dev::p::postgresha:NodeImages::images-machine-1", outputs: { images } },
            { urn: "urn:pulumi:dev::p::random:RandomPassword::a", outputs: {} },
        ],
    });

    it("are those that this checkout makes, of whatever day", () => {
        for (const day of [undefined, "2026-11-29"]) {
            assertSameImages(stack(...imageNames.map((name) => image(name, day))) as never);
        }
    });

    it("refuse the drill otherwise, as its rounds would be told of another program", () => {
        const other = { reference: "docker.io/postgres-ha/patroni:0123456789abcdef" };
        assert.throws(() => assertSameImages(stack(image("etcd"), other) as never), /patroni:0123456789abcdef/);
    });
});
