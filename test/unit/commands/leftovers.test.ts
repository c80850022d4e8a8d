import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeLeftovers } from "../../../commands/leftovers";
import { engineAnswers } from "../../../offline/docker-engine";
import { ToolchainError } from "../../../offline/errors";
import { setSilent } from "../../../offline/progress";
import { fakeCommands } from "../offline/fake-commands";
import { temporaryDirectory } from "../offline/release-server";

const dockerScript = (directory: string): string => `
cd ${directory}
echo "$*" >> calls
kind=$1; verb=$2
if [ "$kind" = info ]; then cat info-error >&2 2>/dev/null; exit "$(cat info-status)"; fi
if [ "$kind" = ps ]; then kind=container verb=ls; fi
if [ "$kind" = rm ]; then kind=container verb=rm; fi
case "$verb" in
ls) if [ -e "list-fails" ]; then rm list-fails; echo 'context deadline exceeded' >&2; exit 1; fi; cat "$kind" 2>/dev/null; exit 0 ;;
inspect) echo br-dev ;;
rm)
  left=$(cat "$kind-failures" 2>/dev/null || echo 0)
  if [ "$left" -gt 0 ]; then
    echo $((left - 1)) > "$kind-failures"
    echo 'Error response from daemon: Could not kill running container, cannot remove' >&2; exit 1
  fi
  rm -f "$kind" ;;
esac`;

/** Runs against a script in place of docker: it proves what is asked and when it is believed, not that containers go. */
describe("removal of what a stack left", function () {
    this.timeout(20_000);
    const directory = temporaryDirectory();
    const file = (name: string) => join(directory.path(), name);
    const calls = () => readFileSync(file("calls"), "utf8").trim().split("\n");
    let restore: () => void;

    before(() => setSilent(true));
    after(() => setSilent(false));
    beforeEach(() => {
        restore = fakeCommands(directory.path(), {
            docker: dockerScript(directory.path()),
            iptables: `echo "$*" >> ${file("rules")}`,
        });
        writeFileSync(file("container"), "postgres-ha-dev.machine-1\npostgres-ha-dev.machine-2\n");
        writeFileSync(file("volume"), "postgres-ha-dev.machine-1-rancher\n");
        writeFileSync(file("network"), "postgres-ha-dev\n");
    });
    afterEach(() => restore());

    it("removes containers, volumes, the network and its rule, and looks again before it says so", async () => {
        assert.equal(await removeLeftovers("dev", { pauseMs: 1 }), 4);
        for (const kind of ["container", "volume", "network"]) assert.equal(existsSync(file(kind)), false, kind);
        assert.equal(readFileSync(file("rules"), "utf8"), "-w -D DOCKER-USER -i br-dev -o br-dev -j ACCEPT\n");
        assert.match(calls().at(-3) ?? "", /^ps --all/);
        assert.match(calls().at(-1) ?? "", /^network ls/);
    });

    it("tries again when a starved engine cannot kill a container", async () => {
        writeFileSync(file("container-failures"), "3");
        assert.equal(await removeLeftovers("dev", { pauseMs: 1 }), 4);
        assert.equal(calls().filter((call) => call.startsWith("rm --force")).length, 4);
    });

    it("does not take a list that failed for an empty one", async () => {
        writeFileSync(file("list-fails"), "");
        assert.equal(await removeLeftovers("dev", { pauseMs: 1 }), 4);
        assert.equal(existsSync(file("container")), false);
    });

    it("fails, naming what is left, when time runs out", async () => {
        writeFileSync(file("container-failures"), "1000000");
        await assert.rejects(
            removeLeftovers("dev", { withinMs: 50, pauseMs: 1 }),
            (error: ToolchainError) =>
                error instanceof ToolchainError &&
                /machine-1, postgres-ha-dev\.machine-2/.test(error.problem) &&
                /Could not kill running container/.test(error.problem),
        );
    });

    it("fails when the engine never says what is left", async () => {
        restore();
        restore = fakeCommands(directory.path(), { docker: "echo 'context deadline exceeded' >&2; exit 1" });
        await assert.rejects(
            removeLeftovers("dev", { withinMs: 50, pauseMs: 1 }),
            /does not say what is left[^]*context deadline exceeded/,
        );
    });

    it("tells an engine that is not there from one that does not answer", async () => {
        const info = (status: string, error: string) => {
            writeFileSync(file("info-status"), status);
            writeFileSync(file("info-error"), error);
        };
        info("0", "");
        assert.equal(await engineAnswers(), true);
        info("1", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?");
        assert.equal(await engineAnswers(), false);
        info("1", "Error response from daemon: context deadline exceeded");
        await assert.rejects(engineAnswers(1), /runs but does not answer \(.*deadline exceeded\)/);
    });
});
