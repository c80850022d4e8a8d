import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cache } from "../../../offline/cache";
import { explain } from "../../../offline/errors";
import { setSilent } from "../../../offline/progress";
import { obtainEtcd } from "../../../offline/stand-ins";
import { fakeCommands } from "./fake-commands";
import { temporaryDirectory } from "./release-server";

/** Runs against a script in place of go: it proves what is kept and what is asked for, not that the modules compile. */
describe("building from Go modules", () => {
    const directory = temporaryDirectory();
    let restore: () => void;
    const calls = () => readFileSync(join(directory.path(), "calls"), "utf8").trim().split("\n");
    const broken = () => join(directory.path(), "broken");

    before(() => setSilent(true));
    after(() => setSilent(false));
    beforeEach(() => {
        const go = `
            echo "$CGO_ENABLED $GOARCH $*" >> ${directory.path()}/calls
            for last; do package=$last; done
            case "$package" in *etcdctl*) test -e ${broken()} && { seq 1 40; echo "no space left" >&2; exit 1; };; esac
            while [ "$1" != -o ]; do shift; done
            echo binary > "$2"`;
        restore = fakeCommands(directory.path(), { go });
    });
    afterEach(() => restore());

    it("keeps what was built when a later build fails, and goes on from there", async () => {
        const cache = new Cache(join(directory.path(), "cache"));
        writeFileSync(broken(), "");
        await assert.rejects(obtainEtcd(cache, "amd64"), (error: Error) => {
            const text = explain(error);
            assert.match(
                text,
                /^Failed: building etcdctl v[^\n]+\nCommand: go build [^]*no space left\nLog: .*go-etcdctl.log\n/,
            );
            assert.ok(text.includes("    40\n") && !text.includes("    20\n"), "only the last 20 lines are shown");
            assert.match(text, /Run the same command again/);
            return true;
        });
        writeFileSync(join(directory.path(), "calls"), "");
        rmSync(broken());
        const path = await obtainEtcd(cache, "amd64");
        assert.ok(existsSync(join(path, "etcd")) && existsSync(join(path, "etcdctl")));
        assert.deepEqual(calls().length, 1, "etcd must not be built twice");
    });

    it("never lets Go change the pinned modules, and builds static binaries for the architecture", async () => {
        await obtainEtcd(new Cache(join(directory.path(), "cache")), "arm64");
        for (const call of calls()) assert.match(call, /^0 arm64 build -v -mod=readonly -buildvcs=false -trimpath /);
    });

    it("says what to do where Go is missing", async () => {
        restore();
        const path = process.env["PATH"];
        process.env["PATH"] = "/nowhere";
        try {
            await assert.rejects(
                obtainEtcd(new Cache(join(directory.path(), "c")), "amd64"),
                /no `go` on PATH\.\nInstall Go/,
            );
        } finally {
            process.env["PATH"] = path;
        }
    });
});
