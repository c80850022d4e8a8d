import { artifact } from "../artifacts";
import { machineArchitecture } from "../machines/architecture";
import type { MachineAccess } from "../machines/machine";
import { RemoteError, withSsh, type SshConnection } from "../machines/ssh";
import { step, waitFor } from "../progress";
import { inputDiff, type StepProvider } from "../step";
import { paths, renderBucketRequest, renderEnvironment, unitName, user } from "./config";
import { isServing } from "./serving";

export interface ObjectStoreServerInputs {
    access: MachineAccess;
    /** Identity of the machine: when it changes, what was installed is gone. */
    instance: string;
    version: string;
    unit: string;
    /** Certificate of the server and its key; the authority that signed it. */
    certificate: string;
    privateKey: string;
    authority: string;
    /** Of the one user, who owns every bucket; secrets. */
    accessKeyId: string;
    secretAccessKey: string;
    /** Made when it is not there; never deleted. */
    bucket: string;
}

/** versitygw on a machine as a systemd unit, serving the buckets that lie on its volume. */
export const provider: StepProvider<ObjectStoreServerInputs> = {
    async create(inputs) {
        await withSsh(inputs.access, (ssh) => apply(ssh, inputs), 60);
        return { id: inputs.access.name, outs: inputs };
    },
    async read(_id, store) {
        try {
            const { exitCode } = await withSsh(store.access, (ssh) =>
                ssh.run(`test -x ${paths.binary} && test -f ${paths.unit}`, { allowFailure: true }),
            );
            return exitCode === 0 ? store : undefined;
        } catch (error) {
            // Whether the machine is gone is for the machine itself to say; here it is only not to be asked.
            console.log(`${store.access.name}: the object store cannot be looked at: ${(error as Error).message}`);
            return store;
        }
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, ["instance"]);
        return diff.changed || (await isServing(olds.access.address, olds.authority))
            ? diff
            : { changed: true, replaces: [] };
    },
    async update(_id, _olds, news) {
        await withSsh(news.access, (ssh) => apply(ssh, news), 60);
        return news;
    },
    async delete(_id, store) {
        const script = `systemctl disable --now ${unitName}; rm -rf ${paths.unit} ${paths.binary} /etc/object-store`;
        await withSsh(store.access, (ssh) => ssh.run(script, { allowFailure: true }), 5).catch((error: unknown) => {
            console.log(`${store.access.name}: the object store was not taken off: ${(error as Error).message}`);
        });
    },
};

async function apply(ssh: SshConnection, inputs: ObjectStoreServerInputs): Promise<void> {
    const { name } = inputs.access;
    const binary = await artifact("versitygw", await machineArchitecture(ssh));
    const changes = await step(name, `installing the object store (versitygw ${inputs.version})`, async () => {
        await ssh.run(`id --user ${user} >/dev/null 2>&1 || useradd --system --home-dir ${paths.buckets} ${user}`);
        // Only the folder itself: what is in it was written by this user, and there may be a lot of it.
        await ssh.run(`mkdir -p ${paths.buckets} && chown ${user}: ${paths.buckets} && chmod 0700 ${paths.buckets}`);
        const changed = [
            await ssh.upload(binary.path, paths.binary, binary.sha256),
            await ssh.writeFile(paths.environment, renderEnvironment(inputs), "0600"),
            await ssh.writeFile(paths.authority, inputs.authority),
            await ssh.writeFile(paths.certificate, inputs.certificate),
            await ssh.writeFile(paths.privateKey, inputs.privateKey, "0640"),
            await ssh.writeFile(paths.unit, inputs.unit),
        ];
        await ssh.run(`chgrp ${user} ${paths.privateKey}`);
        return changed;
    });
    const active = await ssh.run(`systemctl is-active ${unitName}`, { allowFailure: true });
    await step(name, `starting the object store with bucket ${inputs.bucket}`, async () => {
        if (changes.includes(true) || active.exitCode !== 0) {
            await ssh.run(`systemctl daemon-reload && systemctl enable --quiet ${unitName}`);
            await ssh.run(`systemctl restart ${unitName}`);
        }
        await makeBucket(ssh, inputs);
    });
}

/** Asks until the server answers: its unit counts as started before it listens. */
async function makeBucket(ssh: SshConnection, inputs: ObjectStoreServerInputs): Promise<void> {
    const request = renderBucketRequest(inputs.access.address, inputs.bucket, inputs);
    try {
        await waitFor(`bucket ${inputs.bucket}`, 60, async () => {
            const { stdout, stderr } = await ssh.run("curl --config -", { stdin: request, allowFailure: true });
            const status = stdout.trimEnd().split("\n").pop() ?? "";
            // 409: it is there already; with one user it can only be his.
            return ["200", "409"].includes(status)
                ? { done: true }
                : { waiting: `${stdout.trim()} ${stderr.trim()}`.trim() };
        });
    } catch (error) {
        // What keeps the server from starting, such as an unreadable certificate, stands only in its log.
        const log = await ssh.run(`journalctl --unit ${unitName} --no-pager --lines 20 --output cat`, {
            allowFailure: true,
        });
        throw new RemoteError(inputs.access, unitName, `${(error as Error).message}\n${log.stdout}`);
    }
}
