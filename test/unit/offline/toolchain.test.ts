import assert from "node:assert/strict";
import { mkdirSync, readdirSync, realpathSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { presentToolchain } from "../../../commands/present-toolchain";
import { artifactsKey } from "../../../offline/artifacts";
import { Cache, type PartKey } from "../../../offline/cache";
import { hostArchitecture } from "../../../offline/platform";
import { setSilent } from "../../../offline/progress";
import { engineKey, etcdKey, k3sKey, versitygwKey } from "../../../offline/stand-ins";
import { findToolchain, findUsableToolchain } from "../../../offline/toolchain";
import { temporaryDirectory } from "./release-server";

/** Empty folders in place of the parts: it proves which are chosen, not that they work. */
describe("tools that are there already", () => {
    const directory = temporaryDirectory();
    const architecture = hostArchitecture();
    const earlierMode = process.env["POSTGRES_HA_OFFLINE"];
    let cache: Cache;
    const options = () => ({ cache, state: join(directory.path(), "state"), objectStore: false });
    const make = (key: PartKey) => cache.obtain(key, () => Promise.resolve());
    const ofOtherSources = (key: PartKey, recipe: string): PartKey => ({ ...key, recipe: recipe.repeat(64) });

    before(() => {
        setSilent(true);
        process.env["POSTGRES_HA_OFFLINE"] = "1";
    });
    after(() => {
        setSilent(false);
        if (earlierMode === undefined) delete process.env["POSTGRES_HA_OFFLINE"];
        else process.env["POSTGRES_HA_OFFLINE"] = earlierMode;
    });
    beforeEach(() => {
        cache = new Cache(join(directory.path(), "cache"));
    });

    async function makeRest(k3s: PartKey): Promise<string> {
        const parts = { k3s: await make(k3s), etcd: await make(etcdKey(architecture)) };
        return make(artifactsKey(parts, architecture));
    }

    it("are taken as they are when they fit the sources", async () => {
        await make(engineKey(architecture));
        const artifacts = await makeRest(k3sKey(architecture));
        const toolchain = await findUsableToolchain(options());
        assert.equal(toolchain?.artifacts, artifacts);
        assert.deepEqual(toolchain.earlier, []);
        assert.deepEqual(await findToolchain(options()), toolchain);
    });

    it("are taken for reading after an edit below offline/, the ones used last, and said to be earlier", async () => {
        const older = await make(ofOtherSources(engineKey(architecture), "a"));
        const newer = await make(ofOtherSources(engineKey(architecture), "b"));
        const otherVersion = await make({ ...ofOtherSources(engineKey(architecture), "c"), version: "9.9.9" });
        utimesSync(older, 1000, 1000);
        utimesSync(newer, 2000, 2000);
        utimesSync(otherVersion, 3000, 3000);
        const k3s = ofOtherSources(k3sKey(architecture), "d");
        const artifacts = await makeRest(k3s);
        assert.equal(await findToolchain(options()), undefined);
        const toolchain = await presentToolchain(options());
        assert.equal(toolchain.engineBin, join(newer, "bin"));
        assert.equal(toolchain.artifacts, artifacts);
        assert.deepEqual(
            toolchain.earlier.map((part) => part.replace(/-.*-/, " ")),
            [`engine ${"b".repeat(12)}`, `k3s ${"d".repeat(12)}`],
        );
        mkdirSync(join(newer, "home", "plugins"), { recursive: true });
        const link = join(toolchain.environment["PULUMI_HOME"] ?? "", "plugins");
        assert.equal(realpathSync(link), realpathSync(join(newer, "home", "plugins")));
    });

    it("are complete only with the object store's server when the stack makes one", async () => {
        await make(engineKey(architecture));
        const parts = { k3s: await make(k3sKey(architecture)), etcd: await make(etcdKey(architecture)) };
        await make(artifactsKey(parts, architecture));
        const withStore = { ...options(), objectStore: true };
        assert.equal(await findToolchain(withStore), undefined);
        const versitygw = await make(versitygwKey(architecture));
        const artifacts = await make(artifactsKey({ ...parts, versitygw }, architecture));
        const toolchain = await findToolchain(withStore);
        assert.equal(toolchain?.artifacts, artifacts);
        assert.equal(toolchain.origins.versitygw, "offline");
        assert.equal((await findToolchain(options()))?.origins.versitygw, undefined);
    });

    it("are not made up when nothing usable exists, and nothing is built", async () => {
        await make(ofOtherSources(engineKey(architecture), "a"));
        assert.equal(await findUsableToolchain(options()), undefined);
        await assert.rejects(presentToolchain(options()), /not there yet/);
        assert.equal(readdirSync(join(cache.root, "parts")).length, 1);
    });
});
