import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeAuthority } from "../../components/certificates/x509";
import { docker } from "../../components/docker-cli";
import { haproxyTls, renderHaproxyConfig } from "../../components/haproxy/config";
import { ensureBuilt } from "../../components/images/build";
import { image } from "../../components/images/image";
import { deriveTimers } from "../../components/recovery";
import { versions } from "../../components/versions";
import { engineVersion } from "../../offline/docker-engine";
import { temporaryDirectory } from "../unit/offline/release-server";

/** HAProxy of the stack's own image reads the configuration; what it then does is shown by the e2e tests. */
describe("haproxy.cfg in the stack's image", () => {
    const directory = temporaryDirectory();
    const haproxy = image("haproxy");

    before(async function () {
        this.timeout(600_000);
        if (engineVersion() === undefined) {
            console.log("skipped: no container engine answers");
            this.skip();
        }
        if ((await docker(["image", "ls", "--quiet", versions.baseImage])) === "") {
            console.log(`skipped: the base image ${versions.baseImage} is not there yet (make up brings it)`);
            this.skip();
        }
        await ensureBuilt(haproxy);
    });

    async function check(config: string): Promise<{ status: number | null; said: string }> {
        const { certificate } = await makeAuthority({ commonName: "Patroni CA" }, 1);
        for (const folder of ["etc/haproxy-config", haproxyTls]) {
            mkdirSync(join(directory.path(), folder), { recursive: true });
        }
        writeFileSync(join(directory.path(), "etc/haproxy-config/haproxy.cfg"), config);
        writeFileSync(join(directory.path(), haproxyTls, "ca.crt"), certificate);
        const command = ["-c", "-f", "/etc/haproxy-config/haproxy.cfg"];
        const id = await docker([
            ...["create", "--network", "none", "--entrypoint", "haproxy", haproxy.reference, ...command],
        ]);
        try {
            await docker(["cp", `${directory.path()}/.`, `${id}:/`]);
            const { status, stdout, stderr } = spawnSync("docker", ["start", "--attach", id], { encoding: "utf8" });
            return { status, said: stdout + stderr };
        } finally {
            await docker(["rm", "--force", id]);
        }
    }

    for (const [rto, count] of [
        [30, 2],
        [30, 3],
        [120, 7],
    ] as const) {
        it(`is valid, without a warning, for ${count} instances and an objective of ${rto} s`, async () => {
            const config = renderHaproxyConfig({
                instances: Array.from({ length: count }, (_, index) => ({
                    name: `postgres-${index}`,
                    address: `10.43.0.${64 + index}`,
                })),
                timers: deriveTimers({ rto, rpo: 0 }).haproxy,
                maxConnections: 500,
                maximumReplicaLag: "16MB",
                ...(count === 7 && { allowedClients: ["10.42.0.0/16", "192.0.2.7"] }),
            });
            const { status, said } = await check(config);
            assert.equal(status, 0, said);
            assert.doesNotMatch(said, /\[(WARNING|ALERT)\]/);
        });
    }

    it("is refused when it is none: the check tells the two apart", async () => {
        const { status, said } = await check("defaults\n    mode tcp\n    timeout nonsense 1s\n");
        assert.notEqual(status, 0);
        assert.match(said, /timeout nonsense|parsing \[/);
    });
});
