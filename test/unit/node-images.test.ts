import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { provider } from "../../components/images/node-images.step";
import { TestMachine } from "./machines/ssh-server";
import { fakeCommands } from "./offline/fake-commands";
import { temporaryDirectory } from "./offline/release-server";

/** Scripts in place of docker and k3s; the machine is this process. */
describe("the images of a node", () => {
    const directory = temporaryDirectory();
    const machine = new TestMachine();
    let restore = (): void => undefined;
    before(() => machine.start());
    after(() => machine.stop());
    afterEach(() => restore());

    const create = (built: string, machines: string) => {
        restore = fakeCommands(directory.path(), {
            docker: `case "$*" in *.Architecture*) echo ${built} ;; "image inspect"*) echo sha256:1 ;; save*) echo content ;; esac`,
            k3s: `case "$*" in *import*) cat > ${directory.path()}/imported ;; esac`,
            uname: `echo ${machines}`,
        });
        const image = { reference: "postgres-ha/etcd:1", context: "unused", artifacts: [] };
        return provider.create({ node: "machine-1", access: machine.access(), instance: "one", images: [image] });
    };

    it("are imported where they were built for its processor", async () => {
        assert.equal((await create("arm64", "aarch64")).id, "machine-1");
    });

    it("of another processor are refused, with where to build them", async () => {
        await assert.rejects(
            () => create("arm64", "x86_64"),
            /machine-1 .*postgres-ha\/etcd:1 was built for arm64 .* and the machine is amd64\..*DOCKER_HOST/,
        );
    });

    it("of earlier updates go, but those of the last one and of a container that is there", async () => {
        const named = (tag: string) => `docker.io/postgres-ha/etcd:${tag}`;
        const held = ["now", "before", "used", "old"].flatMap((tag) => [
            `${named(tag)} type ${tag}`,
            `sha256:${tag} type ${tag}`,
        ]);
        // One image of two names, as two programs may build it.
        const images = [...held, "docker.io/rancher/pause:1 type pause", `${named("same")} type now`];
        restore = fakeCommands(directory.path(), {
            docker: "echo sha256:1",
            k3s: `case "$*" in
*"containers list") printf 'CONTAINER IMAGE RUNTIME\\n1 ${named("used")} runc\\n2 docker.io/rancher/pause:1 runc\\n' ;;
*"images list --quiet") echo ${named("now")} ;;
*"images list") printf 'REF TYPE DIGEST\\n${images.join("\\n")}\\n' ;;
*"images rm"*) shift 5; printf '%s\\n' "$@" | sort > ${directory.path()}/removed ;;
esac`,
        });
        const inputs = (tag: string) => ({
            ...{ node: "machine-1", access: machine.access(), instance: "one" },
            images: [{ reference: named(tag), context: "unused", artifacts: [] }],
        });
        await provider.update?.("machine-1", inputs("before"), inputs("now"));
        assert.equal(readFileSync(join(directory.path(), "removed"), "utf8"), `${named("old")}\nsha256:old\n`);
    });
});
