import assert from "node:assert/strict";
import { repositoryOptions, type KnownRepository } from "../../../components/pgbackrest/repository-options";
import { explainProbe, renderProbe } from "../../../components/pgbackrest/repository-probe";

const repository: KnownRepository = {
    host: "192.0.2.20",
    port: 9000,
    bucket: "backups",
    region: "us-east-1",
    uriStyle: "path",
    caCertificate: "-----BEGIN CERTIFICATE-----",
    path: "/dev/postgres",
    credentials: { type: "key", accessKeyId: "KEY", secretAccessKey: "SECRET" },
};
const explain = (output: string, change: Partial<KnownRepository> = {}): string =>
    explainProbe({ ...repository, ...change }, output);

describe("pgBackRest's options of a repository", () => {
    it("with keys and an authority of its own name both", () => {
        assert.deepEqual(repositoryOptions(repository, "/ca.pem"), {
            "repo1-type": "s3",
            "repo1-s3-endpoint": "192.0.2.20",
            "repo1-storage-port": "9000",
            "repo1-s3-bucket": "backups",
            "repo1-s3-region": "us-east-1",
            "repo1-s3-uri-style": "path",
            "repo1-storage-ca-file": "/ca.pem",
            "repo1-s3-key": "KEY",
            "repo1-s3-key-secret": "SECRET",
            "repo1-path": "/dev/postgres",
        });
    });

    it("with a role leave the keys to pgBackRest", () => {
        const options = repositoryOptions({ ...repository, credentials: { type: "role" } }, "/ca.pem");
        assert.equal(options["repo1-s3-key-type"], "auto");
        assert.ok(!("repo1-s3-key" in options) && !("repo1-s3-key-secret" in options));
    });
});

describe("the probe of a repository", () => {
    it("connects to the name that pgBackRest connects to", () => {
        assert.match(renderProbe(repository, "a"), /--cacert \/dev\/shm\/ca.pem https:\/\/192\.0\.2\.20:9000\/ /);
        const host = { ...repository, uriStyle: "host" as const, host: "s3.example.com", caCertificate: undefined };
        assert.match(renderProbe(host, "a"), /20 {2}https:\/\/backups\.s3\.example\.com:9000\/ /);
    });

    it("has the secret only in the file it writes to memory", () => {
        const lines = renderProbe(repository, "a").split("\n");
        assert.deepEqual(
            lines.filter((line) => line.includes("SECRET")),
            ["repo1-s3-key-secret=SECRET"],
        );
    });
});

// Outputs as curl 8.14 and pgBackRest 2.55.1 gave them; the contract test makes them anew.
describe("a probe that did not pass", () => {
    const answer = (code: string, message = "Text.") =>
        "write 39\nERROR: [039]: HTTP request failed with 403 (Forbidden):\n*** Request Headers ***:\n" +
        `authorization: <redacted>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;

    it("names endpoint and bucket and says that nothing was changed", () => {
        assert.equal(
            explain(answer("NoSuchBucket", "The specified bucket does not exist.")),
            "repository https://192.0.2.20:9000, bucket backups: there is no such bucket; create it or correct " +
                "backup.repository.bucket (NoSuchBucket: The specified bucket does not exist). Nothing was changed",
        );
    });

    it("tells wrong keys from rights that are missing, by the store's code", () => {
        for (const code of ["SignatureDoesNotMatch", "InvalidAccessKeyId", "XAdminUserNotFound"]) {
            assert.match(explain(answer(code)), /wrong credentials; set them with `pulumi config set --secret/);
        }
        assert.match(explain(answer("AccessDenied")), /access denied; allow s3:ListBucket, s3:GetObject, s3:PutObject/);
        assert.match(explain(answer("AuthorizationHeaderMalformed")), /not in region us-east-1/);
        assert.match(explain(answer("RequestTimeTooSkewed")), /clocks/);
        assert.match(explain(answer("SlowDown")), /refused a test object.*\(SlowDown: Text\)/);
    });

    it("tells an unreachable store from an unknown name and from a port without TLS", () => {
        const refused = "connect 7\ncurl: (7) Failed to connect to 192.0.2.20 port 9000 after 0 ms: Could not connect";
        assert.match(explain(refused), /not reachable \(Failed to connect .*\); .* TCP port 9000 is open/);
        assert.match(explain("connect 28\ncurl: (28) Connection timed out"), /not reachable \(Connection timed out\)/);
        assert.match(explain("connect 6\ncurl: (6) Could not resolve host: s"), /name 192\.0\.2\.20 is not known/);
        assert.match(explain("connect 35\ncurl: (35) wrong version number"), /no TLS on port 9000/);
    });

    it("tells what is wrong with a certificate, without curl's advice to its own users", () => {
        const certificate = (text: string) => explain(`connect 60\ncurl: (60) ${text}\nMore details here: https://`);
        assert.match(certificate("SSL certificate problem: certificate has expired"), /has expired .*renew it/);
        assert.match(certificate("SSL: no alternative certificate subject name matches"), /is not for 192\.0\.2\.20/);
        const unknown = certificate("SSL certificate problem: unable to get local issuer certificate");
        assert.match(unknown, /is not trusted .*set backup.repository.caCertificate/);
        assert.doesNotMatch(unknown, /More details/);
        assert.match(explain("connect 77\ncurl: (77) error adding trust anchors"), /caCertificate cannot be read/);
    });

    it("without a code of S3 shows the first line and nothing of headers and body", () => {
        const text = explain("read 1\nERROR: [055]: unable to open missing file\nauthorization: x\nStringToSign");
        assert.match(text, /did not come back as written \(ERROR: \[055\]: unable to open missing file\)/);
        assert.doesNotMatch(text, /StringToSign|authorization/);
        assert.match(explain("write 1\nERROR: [039]", { credentials: { type: "role" } }), /have an IAM role/);
    });
});
