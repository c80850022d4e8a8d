import assert from "node:assert/strict";
import { provider } from "../../components/member-count.step";

describe("the number of members of a StatefulSet", () => {
    const count = (members: number) => ({ setting: "etcd.members", count: members });
    const diff = (before: number, after: number) => provider.diff("etcd.members", count(before), count(after));

    it("may grow", async () => {
        assert.deepEqual(await diff(3, 5), { changed: true, replaces: [] });
        assert.deepEqual(await diff(3, 3), { changed: false, replaces: [] });
    });

    it("is refused where it shrinks, in the preview already, with the setting and what to do", async () => {
        const refusal = /^Error: etcd\.members: 3 is fewer than the 5 there are.*Nothing was changed\. Set it to 5/;
        await assert.rejects(diff(5, 3), refusal);
        await assert.rejects(async () => provider.update?.("etcd.members", count(5), count(3)), refusal);
    });
});
