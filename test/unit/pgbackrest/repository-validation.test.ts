import assert from "node:assert/strict";
import { makeAuthority } from "../../../components/certificates/x509";
import { existingRepository, type RepositoryArgs } from "../../../components/pgbackrest/repository-args";
import { complaints, existingMachines, normalised } from "../validation";

const keys = { accessKeyId: "KEY", secretAccessKey: "SECRET" };
const s3 = { provider: "s3" as const, endpoint: "https://s3.example.com", bucket: "backups", ...keys };
const docker = { provider: "docker" as const, machine: { name: "store", address: "172.30.0.20" } };

const said = (repository: RepositoryArgs, change: Parameters<typeof complaints>[0] = {}): string[] =>
    complaints({ ...change, backup: { repository } });

const repositoryOf = (repository: RepositoryArgs) => normalised({ backup: { repository } }).backup?.repository;

describe("a repository", () => {
    it("is not needed, and is accepted in each of its forms", () => {
        assert.equal(normalised().backup, undefined);
        const { accessKeyId: _id, secretAccessKey: _secret, ...withoutKeys } = s3;
        for (const repository of [docker, s3, { ...withoutKeys, role: true }]) {
            assert.deepEqual(said(repository), []);
        }
    });

    it("lies in a folder of stack and cluster, so that stacks may share a bucket", () => {
        assert.equal(repositoryOf(s3)?.path, "/dev/postgres");
        assert.equal(repositoryOf({ ...docker, path: "/here" })?.path, "/here");
    });

    it("is complained about everywhere at once, by the path of each field", () => {
        const repository = {
            ...s3,
            endpoint: "http://s3.example.com",
            bucket: "Backups",
            region: "eu central",
            path: "backups/../x",
            caCertificate: "PEM",
            role: true,
        };
        assert.deepEqual(said(repository), [
            'backup.repository.bucket: "Backups" is no bucket name: use 3 to 63 lower-case letters, digits, hyphens and dots',
            'backup.repository.path: "backups/../x" is no folder in the bucket; write it as /backups/orders',
            'backup.repository.endpoint: "http://s3.example.com" is no HTTPS address of a host; write it as https://s3.example.com:9000',
            'backup.repository.region: "eu central" is no region; write it as eu-central-1, or leave it out',
            "backup.repository.caCertificate: is no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
            "backup.repository.role: true and accessKeyId, secretAccessKey exclude each other; give only one kind of credentials",
        ]);
    });
});

describe("an existing bucket", () => {
    it("has an endpoint of host and port alone", () => {
        for (const endpoint of [
            "s3.example.com",
            "https://",
            "https://user@host",
            "https://host/bucket",
            "https://host:70000",
        ]) {
            assert.equal(said({ ...s3, endpoint }).length, 1, endpoint);
        }
        for (const endpoint of ["https://host", "https://host/", "https://192.0.2.7:9000"]) {
            assert.deepEqual(said({ ...s3, endpoint }), [], endpoint);
        }
    });

    it("needs both keys or the role, with the commands that set them", () => {
        const { accessKeyId: _, ...half } = s3;
        assert.deepEqual(said(half), [
            "backup.repository: has no accessKeyId; set `pulumi config set --secret backupAccessKeyId`, or role: true",
        ]);
        assert.match(
            said({ provider: "s3", endpoint: "https://h", bucket: "backups" })[0] ?? "",
            /has no accessKeyId and no secretAccessKey; set .*backupAccessKeyId` and `.*backupSecretAccessKey`/,
        );
    });

    it("of host style needs a name before which the bucket's can stand", () => {
        assert.match(said({ ...s3, uriStyle: "host", endpoint: "https://192.0.2.7" })[0] ?? "", /uriStyle: host needs/);
        assert.match(said({ ...s3, uriStyle: "host", bucket: "a.b.c" })[0] ?? "", /"a\.b\.c" has a dot/);
        assert.deepEqual(said({ ...s3, uriStyle: "host" }), []);
    });

    it("of an authority that has ended is refused before anything is tried", async () => {
        const { certificate } = await makeAuthority({ commonName: "CA" }, -0.01);
        assert.match(
            said({ ...s3, caCertificate: certificate })[0] ?? "",
            /caCertificate: ended on .*present certificate/,
        );
        const present = await makeAuthority({ commonName: "CA" }, 1);
        assert.deepEqual(said({ ...s3, caCertificate: present.certificate }), []);
    });

    it("is what the components are told of it", () => {
        const args = repositoryOf({ ...s3, endpoint: "https://store.example.com:9000" });
        assert.ok(args?.provider === "s3");
        assert.deepEqual(existingRepository(args), {
            host: "store.example.com",
            port: 9000,
            bucket: "backups",
            region: "us-east-1",
            uriStyle: "path",
            caCertificate: undefined,
            path: "/dev/postgres",
            credentials: { type: "key", ...keys },
        });
        const role = repositoryOf({ provider: "s3", endpoint: "https://h", bucket: "backups", role: true });
        assert.ok(role?.provider === "s3");
        assert.deepEqual(
            [existingRepository(role).port, existingRepository(role).credentials],
            [443, { type: "role" }],
        );
    });
});

describe("a store of the stack's own", () => {
    it("needs docker machines, and a place of its own among them", () => {
        assert.match(
            said(docker, { machines: existingMachines() })[0] ?? "",
            /^backup.repository.provider: docker needs/,
        );
        assert.deepEqual(said({ ...docker, machine: { name: "machine-2", address: "172.30.0.11" } }), [
            'backup.repository.machine.name: "machine-2" is also that of machines.machines[1]; the store is a machine of its own',
            'backup.repository.machine.address: "172.30.0.11" is also that of machines.machines[0]; the store is a machine of its own',
        ]);
        assert.deepEqual(said({ ...docker, machine: { name: "Store", address: "172.31.0.20" } }), [
            'backup.repository.machine.name: "Store" is no name: use lower-case letters, digits and hyphens',
            'backup.repository.machine.address: "172.31.0.20" is no address for a machine in 172.30.0.0/24',
        ]);
    });
});
